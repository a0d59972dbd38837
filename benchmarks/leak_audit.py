"""The time of the leak audit on 400 x 220 images of BSDS500's size.

    python benchmarks/leak_audit.py MIRROR

The training images are BSDS500's train and test, the benchmark images Set5, Set14 and 201 images
that stand for B100 and Urban100, which a mirror may lack: images of BSDS500 whose quarters are
swapped diagonally and whose values are inverted, so that they are not copies.
"""

import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import arguments, fetched, show
from numpy.typing import NDArray
from rich.progress import track

from drnsr.data.leaks import find_leaks
from drnsr.data.prepare import prepare_benchmark
from drnsr.data.prepared import PreparedDataset
from drnsr.images.encoding import write_png
from drnsr.images.files import read_image

STRANGERS = 201


def unrelated(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image with as much detail that is not a copy of ``pixels``, (H, W, C)."""
    height, width, _ = pixels.shape
    return np.ascontiguousarray(255 - np.roll(pixels, (height // 2, width // 2), axis=(0, 1)))


def datasets(mirror: str | None, folder: Path) -> tuple[PreparedDataset, list[PreparedDataset]]:
    """Prepare the training images and the benchmarks."""
    bsds = [p for part in ("train", "test") for p in fetched(f"bsds500_{part}", mirror, folder)]
    (folder / "unrelated").mkdir()
    for picture in bsds[:STRANGERS]:
        write_png(folder / "unrelated" / f"{picture.stem}.png", unrelated(read_image(picture)))
    benchmarks = {"unrelated": sorted((folder / "unrelated").iterdir())}
    for name in ("set5", "set14"):
        benchmarks[name] = fetched(f"{name}_x2", mirror, folder)
    return (
        prepare_benchmark(bsds, folder / "training-dataset", name="bsds500"),
        [
            prepare_benchmark(files, folder / f"{name}-dataset", name=name)
            for name, files in benchmarks.items()
        ],
    )


def main() -> None:
    """Time one audit."""
    parser = arguments(__doc__)
    parser.add_argument("mirror", nargs="?", metavar="MIRROR")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        training, benchmarks = datasets(parsed.mirror, Path(folder))
        wall, cpu = time.perf_counter(), time.process_time()
        leaks = find_leaks(training, benchmarks, progress=track)
        figures = {
            "training_pictures": len(training.images),
            "benchmark_pictures": sum(len(dataset.images) for dataset in benchmarks),
            "leaks": len(leaks),
            "cores": os.cpu_count(),
            "wall_s": round(time.perf_counter() - wall, 1),
            "cpu_s": round(time.process_time() - cpu, 1),
            "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
    for leak in leaks:
        print(leak)
    show([figures], parsed.json)


if __name__ == "__main__":
    main()
