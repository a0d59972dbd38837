"""Reading and writing pictures of 8 bits a channel, gray or RGB."""

import io
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

from drnsr.atomic import atomic_path
from drnsr.errors import UserError

log = logging.getLogger("drnsr")

# Pillow's names. It knows more, some of which it opens with the help of other programs.
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM", "GIF", "JPEG2000", "AVIF")

SUFFIXES = frozenset(
    {
        *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp"),
        *(".ppm", ".pgm", ".pbm", ".pnm", ".gif"),
        *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".avif", ".avifs"),
    }
)
"""How the files of these formats are called."""

_GRAY_MODES = frozenset({"1", "L", "LA", "La"})
_COLOUR_MODES = frozenset({"RGB", "RGBA", "RGBa", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX"})


MAX_PIXELS = 150_000_000
"""Of a picture: 450 MB of RGB. Pillow's own limit, which holds too, is 179 million."""


class ImageError(UserError):
    """A file that cannot be used as a picture; the message names it and says why."""


def read_image(
    path: Path, *, max_pixels: int = MAX_PIXELS, called: str | None = None
) -> NDArray[np.uint8]:
    """Decode a picture, turned upright as its EXIF orientation says; transparency is dropped.

    Of an animation or a file of several pages, the first picture is read, with a warning.

    Args:
        path: the picture's file.
        max_pixels: a picture whose header promises more is refused before it is decoded.
        called: what messages call it, where it is a copy; its path by default.

    Returns:
        (H, W, 1) for gray or (H, W, 3) for colour, uint8.

    Raises:
        ImageError: the file is missing, no picture, truncated, too large, or not of 8 bits a
            channel.
    """
    called = called or str(path)
    try:
        pixels, count = _decode(path.read_bytes(), max_pixels)
    except (OSError, ImageError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ImageError(f"{called}: {reason}") from error
    if count > 1:
        log.warning("%s: the first of its %d pictures alone is read", called, count)
    return pixels


def decode_image(data: bytes, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode the bytes of a picture file, as :func:`read_image` does."""
    return _decode(data, max_pixels)[0]


def _decode(data: bytes, max_pixels: int) -> tuple[NDArray[np.uint8], int]:
    """The pixels, and how many pictures the file has."""
    if not data:
        raise ImageError("an empty file")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_size(picture.width, picture.height, max_pixels)
            deep = _is_deep(picture, data)
            picture.load()
            upright = ImageOps.exif_transpose(picture)
    except UnidentifiedImageError as error:
        raise ImageError("not a picture in a format that is known here") from error
    except Image.DecompressionBombError as error:
        raise ImageError(str(error)) from error
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders report a broken file by any of many
        raise ImageError(f"damaged or truncated ({error})") from error
    if deep or upright.mode not in _GRAY_MODES | _COLOUR_MODES:
        raise ImageError("more than 8 bits a channel; convert it to 8 bits first")
    count = _count(data)
    if upright.mode in _GRAY_MODES:
        return np.asarray(upright.convert("L"))[:, :, None], count
    return np.asarray(upright.convert("RGB")), count


def _count(data: bytes) -> int:
    """How many pictures a file has; 1 where those after the first are damaged, for none is read."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            # MPO is a camera's JPEG with a preview behind it.
            return 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
    except Exception:  # Pillow raises anything there
        return 1


def _is_deep(picture: Image.Image, data: bytes) -> bool:
    """Whether the file has more than 8 bits a channel, which Pillow cuts off without a word."""
    if isinstance(picture, TiffImageFile):
        return any(bits > 8 for bits in picture.tag_v2.get(BITSPERSAMPLE, (8,)))
    if picture.format == "JPEG2000":
        return _bits_of_jpeg2000(data) > 8
    if picture.format == "AVIF":
        # AV1 in ISOBMFF, section 2.3.3: `high_bitdepth` is a bit of the configuration's third byte.
        third = data.find(b"av1C") + 6
        return bool(int.from_bytes(data[third : third + 1]) & 0x40)
    # A tile's arguments name the kind of pixels in the file, such as "RGB;16B".
    return isinstance(picture, ImageFile) and any("16" in str(tile.args) for tile in picture.tile)


def _bits_of_jpeg2000(data: bytes) -> int:
    """The depth of the deepest component, by the marker SIZ (ISO/IEC 15444-1, annex A.5.1)."""
    start = data.find(b"\xff\x4f\xff\x51")  # the codestream begins, and SIZ comes first
    components = int.from_bytes(data[start + 40 : start + 42], "big")
    depths = data[start + 42 : start + 42 + 3 * components : 3]
    return max(((depth & 0x7F) + 1 for depth in depths), default=8)


def encode_png(image: NDArray[np.uint8], text: Mapping[str, str] | None = None) -> bytes:
    """Encode (H, W, 1) or (H, W, 3) uint8 as PNG, with texts that say what it is by their keys."""
    info = PngInfo()
    for key, value in (text or {}).items():
        info.add_itxt(key, value)
    buffer = io.BytesIO()
    _to_pillow(image).save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


def write_png(path: Path, image: NDArray[np.uint8], text: Mapping[str, str] | None = None) -> None:
    """Write what :func:`encode_png` gives to a file, whole or not at all."""
    content = encode_png(image, text)
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError(f"{width} x {height} pixels, more than the limit of {max_pixels}")


def _to_pillow(image: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
