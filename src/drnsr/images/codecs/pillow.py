"""The formats that Pillow reads and writes, in 8 bits a channel, and gray in more."""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin, UnidentifiedImageError

from drnsr.images.codecs import bmp
from drnsr.images.file import FormatError, Metadata, Page, Resolution, UpscaledPage
from drnsr.images.files import MAX_PIXELS, ImageError
from drnsr.images.metadata.exif import exif_for_jpeg, grown_exif, read_exif
from drnsr.images.picture import GRAY, GRAY_ALPHA, RGB, RGBA, Channels, Picture, Pixels, of_array

_CHANNELS = {"L": GRAY, "LA": GRAY_ALPHA, "RGB": RGB, "RGBA": RGBA}
_AS_THEY_ARE = frozenset({*_CHANNELS, "I;16", "F"})
_CONVERTED = {"1": "L", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "PA": "RGBA"}

_WRITTEN = (np.uint8, np.uint16)

# Pillow's names; it reads many more, some of them by programs of the system.
_READ = (
    *("PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM"),
    *("AVIF", "GIF", "QOI", "TGA", "ICO", "DDS"),
)

# Of ICC and of each text of a PNG, in bytes; Pillow's own of 1 MiB is less than printers' profiles.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY

_LARGEST_DPI = {"jpeg": 65_535}
_LARGEST_SIDE = {"jpeg": 65_500, "webp": 16_383}
_QUALITY: dict[str, dict[str, Any]] = {
    "jpeg": {"quality": 95, "subsampling": 0},  # chroma as sharp as luma: it was enlarged for it
    "webp": {"quality": 95},
    "bmp": {},
    "ppm": {},
    "avif": {"quality": 95},
    "gif": {},
    "qoi": {},
    "tga": {},
}


def read_page(path: Path, number: int | None = None) -> Page:
    """Read a file with Pillow, upright.

    Args:
        path: of the file.
        number: of the picture in it, from 0, where all are wanted; else it is the first.

    Raises:
        ImageError: it is no picture, damaged, or too large to be held in memory.
    """
    with opened(path) as image:
        if number is not None:
            image.seek(number)
        check_size(image)
        if _is_deep_colour(image):
            raise ImageError(
                f"{image.format} with more than 8 bits a colour: make it a TIFF or PNG first"
            )
        animated = number is None and getattr(image, "n_frames", 1) > 1
        image.load()
        pixels, channels, converted = _pixels(image)
        metadata, orientation, notes = header_metadata(image)
    if converted:
        metadata = replace(metadata, icc=None)  # it was of the colours before
    if animated:
        notes += ("the first of its pictures alone",)
    return Page(of_array(upright(pixels, orientation), channels), metadata, converted + notes)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open a file with Pillow, and tell in one line what it finds wrong with it.

    Raises:
        ImageError: it is no picture, or damaged.
    """
    formats: tuple[str, ...] = _READ
    if path.suffix.lower() in (".heic", ".heif"):
        _know_heif()
        formats += ("HEIF",)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # at sizes that are no mistake; ours are checked
            with Image.open(path, formats=formats) as image:
                yield image
    except UnidentifiedImageError as error:
        raise ImageError("not a picture in a format that is known here") from error
    except Image.DecompressionBombError as error:
        raise ImageError(str(error)) from error
    except (SyntaxError, ValueError, TypeError, LookupError, OSError, struct.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        # Pillow reports a broken file by any of these.
        raise ImageError(f"damaged or truncated ({error})") from error


def _know_heif() -> None:
    """Let Pillow read HEIC.

    Raises:
        ImageError: what it needs is not installed.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise ImageError("HEIC, which needs: pip install 'drnsr[heic]'") from error
    pillow_heif.register_heif_opener()


def header_metadata(image: Image.Image) -> tuple[Metadata, int, tuple[str, ...]]:
    """What a header says beside the pixels, their EXIF orientation, and what is lost of it."""
    exif, orientation, notes = read_exif(image)
    dpi = image.info.get("dpi")
    x, y = dpi if isinstance(dpi, tuple) and len(dpi) == 2 else (None, None)
    metadata = Metadata(
        icc=image.info.get("icc_profile") or None,
        resolution=Resolution.of(y, x) if orientation > 4 else Resolution.of(x, y),
        exif=exif,
    )
    return metadata, orientation, notes


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn (H, W, C) from how EXIF says it lies; an orientation that EXIF lacks changes nothing."""
    if orientation in (2, 3):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4):
        pixels = pixels[::-1]
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (7, 8):
        pixels = pixels[::-1]
    return pixels


def check_size(image: Image.Image) -> None:
    """Refuse by the header what would not fit in memory.

    Raises:
        ImageError: it promises more than :data:`drnsr.images.files.MAX_PIXELS`.
    """
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"{image.width} x {image.height} pixels, more than the limit of {MAX_PIXELS:,} for"
            f" {image.format}; TIFF has none"
        )


def picture_of_pillow(image: Image.Image) -> Picture:
    """The pixels of a Pillow image, as it lies (not turned upright)."""
    pixels, channels, _ = _pixels(image)
    return of_array(pixels, channels)


def to_pillow(pixels: Pixels) -> Image.Image:
    """(H, W, C) as an image: uint8 of one to four channels, uint16 or float32 of one."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _pixels(image: Image.Image) -> tuple[Pixels, Channels, tuple[str, ...]]:
    plain, notes = _plain(image)
    pixels = np.asarray(plain)
    if plain.mode in ("I", "I;16"):
        if pixels.min() < 0 or pixels.max() > 65_535:
            raise ImageError("gray of 32 bits: make it a TIFF first")
        pixels = pixels.astype(np.uint16)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    return pixels, _CHANNELS.get(plain.mode, GRAY), notes


def _plain(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Gray, RGB or either with alpha; and what was converted in a way that is to be told."""
    mode = image.mode
    if mode in ("L", "RGB", "P") and "transparency" in image.info:
        return image.convert("LA" if mode == "L" else "RGBA"), ()
    if mode in _AS_THEY_ARE or mode == "I":
        return image, ()
    if mode.startswith("I;16"):
        return image.convert("I"), ()
    if mode == "P":
        return image.convert("RGB"), ()
    if mode in _CONVERTED:
        return image.convert(_CONVERTED[mode]), ()
    return _to_rgb(image), (f"{mode} converted to RGB",)


def _to_rgb(image: Image.Image) -> Image.Image:
    """By the picture's own colour profile where it has one that is of use."""
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("CMYK", "LAB"):
        try:
            source = ImageCms.getOpenProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):
            pass  # a profile of something else, or a broken one
    return image.convert("RGB")


def _is_deep_colour(image: Image.Image) -> bool:
    """Colour of more than 8 bits, of which Pillow cuts off the rest without a word."""
    if image.mode not in ("RGB", "RGBA", "LA"):
        return False
    tiles = getattr(image, "tile", [])
    if image.format == "PPM":  # its decoder is told the largest value
        return any(tile.codec_name == "ppm" and tile.args[-1] > 255 for tile in tiles)
    # BMP's BGR;16 is of 5, 6 and 5 bits.
    return any(";16" in str(tile.args) and "BGR;16" not in str(tile.args) for tile in tiles)


def check_target(made: UpscaledPage, file_format: str) -> None:
    """Find out before the work whether a format can hold a picture.

    Raises:
        FormatError: it cannot.
    """
    largest = _LARGEST_SIDE.get(file_format)
    name = file_format.upper()
    if largest and max(made.width, made.height) > largest:
        raise FormatError(
            f"{made.width} x {made.height} pixels, and {name} holds {largest} a side: take"
            " --format tiff"
        )
    if made.channels.alpha is not None and file_format in ("jpeg", "ppm"):
        raise FormatError(f"it has transparency, and {name} holds none: take --format png")
    if made.channels not in _CHANNELS.values() or made.source.picture.dtype not in _WRITTEN:
        raise FormatError(
            f"{made.channels.count} channels of {made.source.picture.dtype}, which {name} does not"
            " hold: take --format tiff"
        )


def write_page(path: Path, file_format: str, made: UpscaledPage, text: str) -> None:
    """Write what Pillow can, other than PNG and TIFF; 16 bits are rounded to 8, except gray in PPM.

    Args:
        path: to be written, whatever its suffix.
        file_format: which of them.
        made: what to write.
        text: what made it, for the formats that can say so.
    """
    image = gathered_image(made, deep_gray=file_format == "ppm")
    if file_format == "qoi" and image.mode in ("L", "LA"):
        image = image.convert("RGB" if image.mode == "L" else "RGBA")
    if file_format == "bmp" and made.channels.alpha is not None:
        bmp.write_with_alpha(path, image.convert("RGBA"), made.resolution)
        return
    keywords = dict(_QUALITY[file_format])
    dpi = made.resolution.per_inch() if made.resolution is not None else None
    if dpi and max(dpi) <= _LARGEST_DPI.get(file_format, max(dpi)):
        keywords["dpi"] = dpi  # of larger ones EXIF tells
    if made.source.metadata.icc:
        keywords["icc_profile"] = made.source.metadata.icc
    if file_format == "jpeg":
        keywords["exif"], _ = exif_for_jpeg(made, text)
    elif file_format in ("webp", "avif"):
        keywords["exif"] = grown_exif(made, text)
    image.save(path, format=file_format, **keywords)


def gathered_image(made: UpscaledPage, *, deep_gray: bool = False) -> Image.Image:
    """The whole picture, a band at a time: Pillow's pixels and ours are not there at once."""
    image: Image.Image | None = None
    top = 0
    for band in made.rows:
        if band.dtype == np.uint16 and not (deep_gray and band.shape[2] == 1):
            band = ((band.astype(np.uint32) + 128) // 257).astype(np.uint8)
        part = to_pillow(band)
        if image is None:
            image = Image.new(part.mode, (made.width, made.height))
        image.paste(part, (0, top))
        top += len(band)
    assert image is not None
    return image
