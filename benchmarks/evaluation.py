"""SSIM and VIF compared with torchmetrics', and a benchmark with more threads for its metrics.

    python benchmarks/evaluation.py MIRROR

It measures in turn: SSIM and VIF of an image of 1024 x 768 pixels, by torchmetrics and by drnsr;
and bicubic on Set14 at scale 2 with every metric, which one thread computes or as many as there are
cores, while the calling thread upscales the next images.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from measuring import arguments, fetched, in_turn, show
from torchmetrics.functional.image import (
    structural_similarity_index_measure,
    visual_information_fidelity,
)

from drnsr.data.prepare import prepare_benchmark
from drnsr.evaluation.benchmark import bicubic, measure
from drnsr.evaluation.metrics import METRICS
from drnsr.evaluation.protocol import get_protocol
from drnsr.evaluation.structural import ssim, vif
from drnsr.images.resize import downscale, upscale

SHAPE = (768, 1024, 1)


def metrics() -> dict[str, Callable[[], object]]:
    """Return the metrics, each of drnsr after that of torchmetrics."""
    reference = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
    pair = [each.astype(float) for each in (upscale(downscale(reference, 2), 2), reference)]
    image, target = (torch.from_numpy(each[None, None, :, :, 0]) for each in pair)
    return {
        "torchmetrics' SSIM": lambda: structural_similarity_index_measure(
            image, target, data_range=255.0, return_full_image=True
        ),
        "our SSIM": lambda: ssim(*pair),
        "torchmetrics' VIF": lambda: visual_information_fidelity(image, target),
        "our VIF": lambda: vif(*pair),
    }


def benchmark(mirror: str | None, folder: Path) -> dict[str, Callable[[], object]]:
    """Return the evaluation of Set14 with one thread and with all."""
    protocol = get_protocol("paper_y")
    dataset = prepare_benchmark(
        fetched("set14_x2", mirror, folder), folder / "dataset", name="set14"
    )

    def measured(workers: int | None) -> object:
        return list(
            measure(
                dataset,
                [bicubic(2, protocol)],
                scale=2,
                protocol=protocol,
                metrics=list(METRICS.values()),
                workers=workers,
            )
        )

    return {
        "Set14, one worker": lambda: measured(1),
        "Set14, a worker for each core": lambda: measured(None),
    }


def main() -> None:
    """Measure, and print each with its ratio."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("mirror", nargs="?", metavar="MIRROR")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        ways = metrics() | benchmark(parsed.mirror, Path(name))
        seconds = in_turn(ways, parsed.rounds)
    rows: list[dict[str, object]] = []
    for before, after in zip(list(ways)[::2], list(ways)[1::2], strict=True):
        for each in (before, after):
            ratio = f"{seconds[before] / seconds[each]:.2f}" if each is after else ""
            rows.append({"what": each, "ms": round(1000 * seconds[each], 1), "ratio": ratio})
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
