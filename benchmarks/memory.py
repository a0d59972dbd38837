"""Peak memory and time of `drnsr upscale` on large pictures, each in a process of its own.

    python benchmarks/memory.py photo tiff

`photo` is a JPEG of 24 megapixels, `tiff` one of 100 megapixels with 16 bits a channel, and `tiffs`
several of them from 1 to 100. The pictures are made of noise and slopes, and removed afterwards.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from rich.console import Console
from rich.table import Table

_PROGRAM = """
import sys
from pathlib import Path
from drnsr.cli import main
main(["upscale", *sys.argv[1:]])
print(Path("/proc/self/status").read_text())
"""


def photo(folder: Path, megapixels: int) -> Path:
    """An RGB photograph's size in JPEG, 3 wide to 2 high."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    pixels = np.concatenate(list(_bands(height, height * 3 // 2, np.uint8)))
    path = folder / "photo.jpg"
    Image.fromarray(pixels).save(path, quality=90)
    return path


def tiff(folder: Path, megapixels: int) -> Path:
    """A square RGB scene of 16 bits, in packed tiles."""
    side = round((megapixels * 1e6) ** 0.5 / 256) * 256
    path = folder / f"scene{megapixels}.tif"
    tiles = (
        band[:, left : left + 256]
        for band in _bands(side, side, np.uint16)
        for left in range(0, side, 256)
    )
    tifffile.imwrite(
        path,
        tiles,
        shape=(side, side, 3),
        dtype=np.uint16,
        tile=(256, 256),
        photometric="rgb",
        compression="zlib",
    )
    return path


def _bands(height: int, width: int, dtype: type[np.generic]) -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    white = np.iinfo(dtype).max  # type: ignore[type-var]
    for top in range(0, height, 256):
        rows = np.arange(top, min(top + 256, height))
        slope = np.add.outer(rows, np.arange(width)) % 1000 / 1000
        noise = random.random((len(rows), width), np.float32) * 0.2
        yield ((slope * 0.8 + noise)[:, :, None] * white).astype(dtype).repeat(3, axis=2)


def measure(picture: Path, arguments: list[str]) -> dict[str, object]:
    """Enlarge a picture, and tell what it took."""
    start = time.perf_counter()
    call = [sys.executable, "-c", _PROGRAM, str(picture), "--out", str(picture.parent / "out")]
    status = subprocess.run([*call, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - start
    peak = re.search(r"VmHWM:\s+(\d+) kB", status.stdout)
    assert peak is not None
    (made,) = (picture.parent / "out").iterdir()
    with made.open("rb"):
        megabytes = made.stat().st_size / 1e6
    made.unlink()
    return {
        "picture": picture.name,
        "peak_gib": round(int(peak[1]) / 2**20, 3),
        "seconds": round(seconds, 1),
        "output_mb": round(megabytes, 1),
    }


def main() -> None:
    """Print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="+", choices=("photo", "tiff", "tiffs"))
    parser.add_argument("--json", type=Path, help="to write the rows into")
    parsed, more = parser.parse_known_args()
    rows = []
    for what in parsed.what:
        sizes = {"photo": [24], "tiff": [100], "tiffs": [1, 10, 100]}[what]
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                make = photo if what == "photo" else tiff
                rows.append({"megapixels": size, **measure(make(Path(folder), size), more)})
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
    if parsed.json:
        parsed.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
