"""Reading 8-bit pictures, gray or RGB, of which data sets consist.

:mod:`drnsr.images.reading` opens every kind of picture with its depth, transparency and metadata.
Data sets need less: arrays of one type, always from Pillow, so that prepared pixels stay the same
whatever the codecs learn (TIFF is not decoded by tifffile, CMYK not by its colour profile).
"""

import io
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps, UnidentifiedImageError

from drnsr.images.backends.pillow import is_deep, opened
from drnsr.images.codec import MAX_PIXELS, check_size
from drnsr.images.codecs import CODECS
from drnsr.images.errors import ImageError
from drnsr.images.reading import check_regular

log = logging.getLogger("drnsr")

_CODECS = [codec for codec in CODECS.values() if codec.in_datasets]

FORMATS = tuple(name for codec in _CODECS for name in codec.pillow)
"""Pillow's names of the formats that data sets may contain."""

SUFFIXES = frozenset(s for codec in _CODECS for s in codec.suffixes + codec.read_suffixes)
"""The suffixes of these formats, in lower case."""

VOLUME_SUFFIXES = frozenset(s for name in ("dicom", "nifti") for s in CODECS[name].suffixes)
"""The suffixes of slices and volumes, which data sets of bands may contain, too."""

_GRAY_MODES = frozenset({"1", "L", "LA", "La"})
_COLOUR_MODES = frozenset({"RGB", "RGBA", "RGBa", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX"})


def read_image(
    path: Path, *, max_pixels: int = MAX_PIXELS, called: str | None = None
) -> NDArray[np.uint8]:
    """Decode a picture, turned upright by its EXIF orientation; transparency is dropped.

    An animation or a file of several pages gives its first picture, with a warning.

    Args:
        path: the picture's file.
        max_pixels: a picture whose header states more is refused before it is decoded.
        called: the name in messages, if the file is a copy; its path by default.

    Returns:
        (H, W, 1) for gray or (H, W, 3) for colour, uint8.

    Raises:
        ImageError: the file is missing, not a regular file, no picture, truncated, too large, or of
            more than 8 bits a channel.
    """
    called = called or str(path)
    try:
        check_regular(path)
        pixels, count = _decode(path.read_bytes(), max_pixels)
    except (OSError, ImageError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ImageError(f"{called}: {reason}") from error
    if count > 1:
        log.warning("%s: only the first of its %d pictures is read", called, count)
    return pixels


def _decode(data: bytes, max_pixels: int) -> tuple[NDArray[np.uint8], int]:
    """Return the pixels, and the number of pictures in the file."""
    if not data:
        raise ImageError("an empty file")
    try:
        with opened(io.BytesIO(data), FORMATS) as picture:
            check_size(picture.width, picture.height, max_pixels)
            deep = is_deep(picture, data)
            picture.load()
            upright = ImageOps.exif_transpose(picture)
    except ImageError as error:
        is_unknown = isinstance(error.__cause__, UnidentifiedImageError)
        if is_unknown and CODECS["tiff"].recognises(data):
            raise ImageError(
                "a TIFF that is damaged, or not of 8-bit RGB: for bands and more bits declare"
                " data.pixels"
            ) from error
        raise
    if deep or upright.mode not in _GRAY_MODES | _COLOUR_MODES:
        raise ImageError(
            "more than 8 bits a channel: convert it to 8 bits, or declare data.pixels to train on"
            " all bits"
        )
    count = _count(data)
    if upright.mode in _GRAY_MODES:
        return np.asarray(upright.convert("L"))[:, :, None], count
    return np.asarray(upright.convert("RGB")), count


def _count(data: bytes) -> int:
    """Return the number of pictures; 1 if those after the first are damaged, as none is read."""
    try:
        with opened(io.BytesIO(data), FORMATS) as picture:
            # MPO is a camera's JPEG with a preview behind it.
            return 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
    except ImageError:
        return 1
