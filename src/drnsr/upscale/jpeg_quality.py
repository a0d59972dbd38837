"""The quality of a JPEG file, from its quantization tables."""

import warnings
from functools import cache
from pathlib import Path
from typing import Any, cast

from PIL import Image

from drnsr.images.errors import ImageError
from drnsr.images.reading import check_regular

# The luma table of ITU-T T.81 (1992), annex K.1, in the order of rows.
_STANDARD = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)


def jpeg_quality(path: Path) -> int | None:
    """Estimate the quality that a JPEG file was written with; only its header is read.

    It is the quality at which libjpeg's luma steps have the same mean. So it is exact for a file by
    libjpeg, and says for another table how coarse it is.

    Returns:
        The quality of 1..100, or None if the file is not a JPEG that can be read.
    """
    try:
        check_regular(path)
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size of the image is checked where it is decoded
            if file.read(3) != b"\xff\xd8\xff":
                return None
            file.seek(0)
            tables = cast(Any, Image.open(file, formats=["JPEG"])).quantization
    except (ImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    if not tables:
        return None
    luma = sum(tables[min(tables)])
    return min(range(1, 101), key=lambda quality: abs(_sum_of_luma(quality) - luma))


@cache
def _sum_of_luma(quality: int) -> int:
    return sum(_libjpeg_table(quality))


def _libjpeg_table(quality: int) -> list[int]:
    """Return libjpeg's luma table for a quality (jcparam.c: jpeg_quality_scaling)."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [min(max((step * percent + 50) // 100, 1), 255) for step in _STANDARD]
