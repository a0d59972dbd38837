"""bf16 against fp32 with the shipped models: speed, PSNR, and the largest deviation of a pixel.

    python benchmarks/precision.py MIRROR

The speed is that of one image of 512 x 512 pixels, upscaled in turn; the PSNR is that of `paper_y`
on Set5 and Set14. The deviations are those of the images of Set5 in 8 bits, and of the same images
in 16 bits, in levels of 8 and of 16 bits.
"""

import tempfile
from pathlib import Path

import numpy as np
from measuring import arguments, fetched, in_turn, show

from drnsr import pretrained
from drnsr.data.prepare import prepare_benchmark
from drnsr.data.prepared import PreparedDataset
from drnsr.evaluation.benchmark import mean_values, measure
from drnsr.evaluation.methods import model_method
from drnsr.evaluation.metrics import get_metrics
from drnsr.evaluation.protocol import PROTOCOLS
from drnsr.inference.allocator import keep_freed_memory
from drnsr.inference.upscaler import Upscaler

PRECISIONS = ("fp32", "bf16")


def psnr(dataset: PreparedDataset, name: str, scale: int) -> dict[str, float]:
    """Return the mean PSNR in both precisions."""
    protocol = PROTOCOLS["paper_y"]
    methods = [
        model_method(pretrained.model_file(name), scale, precision, "cpu", precision)
        for precision in PRECISIONS
    ]
    metrics = get_metrics(["psnr"])
    found = list(measure(dataset, methods, scale=scale, protocol=protocol, metrics=metrics))
    pixels = [each.pixels for each in found]
    return {
        precision: mean_values(
            [each.results[precision].values for each in found], pixels, protocol
        )["psnr"]
        or 0.0
        for precision in PRECISIONS
    }


def deviation(upscalers: dict[str, Upscaler], images: list[np.ndarray], white: int) -> int:
    """Return the largest difference of a pixel between the precisions, in levels."""
    largest = 0
    for image in images:
        pixels = image if white == 255 else image.astype(np.uint16) * (white // 255)
        fp32, bf16 = (upscalers[precision](pixels).astype(int) for precision in PRECISIONS)
        largest = max(largest, int(np.abs(fp32 - bf16).max()))
    return largest


def main() -> None:
    """Measure each shipped model, and print the table."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("mirror", nargs="?", help="a folder with the data; else it is downloaded")
    parsed = parser.parse_args()
    keep_freed_memory()  # as `drnsr upscale` does
    rows = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        large = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
        for scale, name in pretrained.SCALES.items():
            upscalers = {
                precision: Upscaler.from_pretrained(name, precision=precision)
                for precision in PRECISIONS
            }
            ways = {
                precision: (lambda u=upscaler: u(large))
                for precision, upscaler in upscalers.items()
            }
            seconds = in_turn(ways, parsed.rounds)
            sets = [
                prepare_benchmark(
                    fetched(f"{each}_x{scale}", parsed.mirror, folder),
                    folder / f"{each}_x{scale}_dataset",
                    name=each,
                )
                for each in ("set5", "set14")
            ]
            small = [sets[0].hr(number)[::scale, ::scale] for number in range(5)]
            row: dict[str, object] = {
                "model": name,
                "fp32 s": round(seconds["fp32"], 2),
                "bf16 s": round(seconds["bf16"], 2),
                "speed": round(seconds["fp32"] / seconds["bf16"], 2),
                "levels of 8 bits": deviation(upscalers, small, 255),
                "levels of 16 bits": deviation(upscalers, small, 65535),
            }
            for dataset in sets:
                found = psnr(dataset, name, scale)
                row[f"{dataset.name} dB"] = round(found["fp32"], 4)
                row[f"{dataset.name} bf16 dB"] = f"{found['bf16'] - found['fp32']:+.4f}"
            rows.append(row)
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
