"""JPEG 2000, JPEG XL and Radiance HDR through imagecodecs, which keeps more than 8 bits."""

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np

from drnsr.images.file import Format, Metadata, Page, UpscaledPage
from drnsr.images.files import MAX_PIXELS, ImageError
from drnsr.images.picture import GRAY, GRAY_ALPHA, RGB, RGBA, Pixels, of_array

_DECODERS: dict[Format, Callable[[bytes], Pixels]] = {
    "jp2": imagecodecs.jpeg2k_decode,
    "jxl": imagecodecs.jpegxl_decode,
    "hdr": imagecodecs.rgbe_decode,
}
_DISTANCE = 0.5  # of JPEG XL in units of what can just be seen: finer than its own 1

_CHANNELS = (GRAY, GRAY_ALPHA, RGB, RGBA)


def read_coded(path: Path, file_format: Format) -> Page:
    """Read a file; what it says beside its pixels is not taken, which is told.

    Raises:
        ImageError: it is damaged, too large, or of a kind that cannot be enlarged.
    """
    try:
        pixels = _DECODERS[file_format](path.read_bytes())
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise ImageError(f"damaged or truncated ({error})") from error
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] > 4:
        raise ImageError("several pictures in one file, of which none is taken: split it")
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise ImageError(f"{pixels.shape[1]} x {pixels.shape[0]} pixels, more than {MAX_PIXELS:,}")
    notes = () if file_format == "hdr" else ("profiles and EXIF of this format are not kept",)
    return Page(of_array(pixels), Metadata(), notes)


def can_hold(made: UpscaledPage) -> bool:
    """Whether JPEG 2000 and JPEG XL can."""
    picture = made.source.picture
    return picture.channels in _CHANNELS and picture.dtype in (np.uint8, np.uint16)


def write_coded(path: Path, file_format: Format, made: UpscaledPage) -> None:
    """Write JPEG 2000 without loss, or JPEG XL with a loss that is below what can be seen."""
    pixels = made.pixels()
    pixels = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    if file_format == "jxl":
        path.write_bytes(imagecodecs.jpegxl_encode(pixels, distance=_DISTANCE))
    else:
        path.write_bytes(imagecodecs.jpeg2k_encode(pixels, reversible=True, codecformat="jp2"))
