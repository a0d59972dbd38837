"""What the rows of a very wide GeoTIFF add to the memory of `drnsr upscale`, without a network.

    python benchmarks/wide_tiff.py

It writes results as wide as that of 100,000 pixels at scale 2, four bands of 16 bits and a mask,
at two heights, and adds overviews to files with few and with as many tiles as the result of 100,000
x 100,000 pixels has. Each runs in its own process; the peak is the kernel's VmHWM.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from measuring import arguments, peak_kilobytes, show
from rasterio.windows import Window

# Only the writer: the rows are zeros, and everything is data.
_WRITE = """
import sys
from pathlib import Path
import numpy as np
from drnsr.images.codecs.tiff import CODEC
from drnsr.images.page import Metadata, Page, UpscaledPage
from drnsr.images.picture import Channels, Picture
path, width, height = Path(sys.argv[1]), 200_000, int(sys.argv[2])
bands = Channels(((0,), (1,), (2,), (3,)), alpha=4, alpha_is_mask=True)
class Source:
    def __call__(self, top, bottom):
        return np.full((bottom - top, width // 2, 5), 65535, np.uint16)
    def box(self, box):
        return np.full((box.height, box.width, 5), 65535, np.uint16)
source = Picture(height // 2, width // 2, np.dtype(np.uint16), bands, (0, 65535), Source())
def upscaled():
    for _ in range(0, height, 8):
        yield np.zeros((8, width, 5), np.uint16)
CODEC.write(path, [UpscaledPage(height, width, Page(source, Metadata()), upscaled())], "")
print(Path("/proc/self/status").read_text())
"""

_ADD = """
import sys
from pathlib import Path
from drnsr.images.backends.gdal import add_overviews
add_overviews(Path(sys.argv[1]))
print(Path("/proc/self/status").read_text())
"""

_SIDE = 16  # of the small tiles: there are many in a small file


def tiled(path: Path, side: int) -> int:
    """Write a square TIFF of small tiles; return their number."""
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "height": side, "width": side}
    tiles = {"tiled": True, "blockxsize": _SIDE, "blockysize": _SIDE, "compress": "deflate"}
    with rasterio.open(path, "w", **profile, **tiles) as file:
        for top in range(0, side, _SIDE):
            file.write(np.ones((_SIDE, side), np.uint8), 1, window=Window(0, top, side, _SIDE))
    return (side // _SIDE) ** 2


def peak(program: str, *call: object) -> float:
    """Run a program, and return its peak memory in GiB."""
    process = [sys.executable, "-c", program, *map(str, call)]
    status = subprocess.run(process, check=True, stdout=subprocess.PIPE, text=True)
    return round(peak_kilobytes(status.stdout) / 2**20, 3)


def main() -> None:
    """Measure, and print."""
    parsed = arguments(__doc__).parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "wide.tif"
        for height in (1024, 4096):
            found = peak(_WRITE, file, height)
            rows.append({"what": "write", "size": f"200000 x {height} pixels", "peak_gib": found})
        for side in (6400, 25008):
            count = tiled(file, side)
            found = peak(_ADD, file)
            rows.append({"what": "overviews", "size": f"{count} tiles", "peak_gib": found})
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
