"""Overviews: smaller copies of a GeoTIFF in its file, for programs that show it, by GDAL."""

import errno
import os
from importlib.util import find_spec
from pathlib import Path

from tifffile import TiffFile

from drnsr.images.errors import FormatError

_SMALLEST = 256  # no overview is made of what is not larger, as in GDAL's tools
_OVERVIEW = 1  # NewSubfileType of TIFF
_CACHE = 64  # MB of decoded tiles


def check_overviews() -> None:
    """Check that overviews can be made.

    Raises:
        FormatError: rasterio, which contains GDAL, is not installed.
    """
    if find_spec("rasterio") is None:
        raise FormatError("overviews are made by rasterio: pip install 'drnsr[geo]'")


def add_overviews(path: Path) -> None:
    """Add overviews of a half, a quarter and so on to a TIFF of one page, in the same compression.

    A pixel is the mean of those pixels that are data (GDAL's ``AVERAGE``); a mask gets overviews,
    too.

    Raises:
        OSError: the disk is full.
    """
    import rasterio  # it takes a moment, and only some need it
    from rasterio.enums import Resampling
    from rasterio.errors import RasterioError

    try:
        with (
            rasterio.Env(GDAL_CACHEMAX=_CACHE, GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
            rasterio.open(path, "r+") as file,
        ):
            factors = [2]
            while max(file.width, file.height) > _SMALLEST * factors[-1]:
                factors.append(2 * factors[-1])
            file.build_overviews(factors, Resampling.average)
    except RasterioError as error:
        raise FormatError(f"its overviews could not be made: {error}") from error
    if not is_whole(path, len(factors)):  # GDAL does not report a full disk when it closes a file
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def is_whole(path: Path, overviews: int) -> bool:
    """Return whether a file has so many overviews, and all strips and tiles of its pages."""
    found = 0
    with TiffFile(path) as tiff:
        size = tiff.filehandle.size
        for each in tiff.pages:  # one at a time: a page can have millions of tiles
            page = each.aspage()
            found += page.subfiletype == _OVERVIEW
            tiles = zip(page.dataoffsets, page.databytecounts, strict=True)
            if not all(count > 0 and offset + count <= size for offset, count in tiles):
                return False
    return found == overviews
