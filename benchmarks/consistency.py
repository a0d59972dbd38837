"""What `--consistent` does to PSNR, with the shipped models, and what it takes.

    python benchmarks/consistency.py MIRROR

The PSNR is that of `paper_y` on Set5 and Set14. The deviation is the largest difference of a value
between an image and its result shrunk by MATLAB's bicubic, in levels of 8 bits, unrounded, over
both. The time is that of the upscaling of Set5, in turn.
"""

import tempfile
from pathlib import Path

import numpy as np
from measuring import arguments, fetched, in_turn, show

from drnsr import pretrained
from drnsr.data.prepare import prepare_benchmark
from drnsr.data.prepared import PreparedDataset
from drnsr.evaluation.benchmark import Method, mean_values, measure
from drnsr.evaluation.metrics import get_metrics
from drnsr.evaluation.protocol import PROTOCOLS
from drnsr.images.picture import from_array
from drnsr.images.resize import crop_to_multiple, downscale
from drnsr.inference.allocator import keep_freed_memory
from drnsr.inference.consistency import Projection
from drnsr.inference.upscaler import Upscaler

WAYS = ("plain", "consistent")


def psnr(dataset: PreparedDataset, methods: list[Method], scale: int) -> dict[str, float]:
    """Return the mean PSNR of each method."""
    protocol, metrics = PROTOCOLS["paper_y"], get_metrics(["psnr"])
    found = list(measure(dataset, methods, scale=scale, protocol=protocol, metrics=metrics))
    pixels = [each.pixels for each in found]
    return {
        method.name: mean_values(
            [each.results[method.name].values for each in found], pixels, protocol
        )["psnr"]
        or 0.0
        for method in methods
    }


def deviation(upscaler: Upscaler, images: list[np.ndarray]) -> float:
    """Return the largest deviation of the results from the images."""
    return max(
        Projection(from_array(each), upscaler.scale).deviation([upscaler(each)]) for each in images
    )


def measured(name: str, scale: int, mirror: str | None, rounds: int) -> list[dict[str, object]]:
    """Return the rows of a model."""
    upscalers = {
        way: Upscaler.from_pretrained(name, precision="fp32", consistent=way == "consistent")
        for way in WAYS
    }
    methods = [Method(way, upscaler, "rgb") for way, upscaler in upscalers.items()]
    rows: dict[str, dict[str, object]] = {way: {"model": name, "": way} for way in WAYS}
    images: list[np.ndarray] = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for each in ("set5", "set14"):
            files = fetched(f"{each}_x{scale}", mirror, folder)
            dataset = prepare_benchmark(files, folder / f"{each}_dataset", name=each)
            for way, value in psnr(dataset, methods, scale).items():
                rows[way][f"{each} dB"] = f"{value:.3f}"
            hr = [dataset.hr(number) for number in range(len(files))]
            images += [downscale(crop_to_multiple(one, scale), scale) for one in hr]
        seconds = in_turn(
            {way: lambda u=each: [u(one) for one in images[:5]] for way, each in upscalers.items()},
            rounds,
        )
    for way, upscaler in upscalers.items():
        rows[way]["deviation"] = f"{deviation(upscaler, images):.2f}"
        rows[way]["time"] = f"{seconds[way] / seconds['plain']:.2f}"
    return list(rows.values())


def main() -> None:
    """Measure each shipped model, and print the table."""
    parser = arguments(__doc__, rounds=2)
    parser.add_argument("mirror", nargs="?", help="a folder with the data; else it is downloaded")
    parsed = parser.parse_args()
    keep_freed_memory()  # as `drnsr upscale` does
    rows = []
    for scale, name in pretrained.SCALES.items():
        rows += measured(name, scale, parsed.mirror, parsed.rounds)
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
