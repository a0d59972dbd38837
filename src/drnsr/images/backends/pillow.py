"""The formats that Pillow reads and writes: 8 bits a channel, and gray of more."""

import errno
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin, UnidentifiedImageError
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

from drnsr.errors import SignalError, UserError
from drnsr.images.codec import MAX_PIXELS, PROVENANCE_KEY, Codec, check_size
from drnsr.images.encoding import to_pillow
from drnsr.images.errors import ImageError
from drnsr.images.metadata.exif import SOFTWARE, read_exif, upscaled_exif
from drnsr.images.metadata.xmp import upright_xmp
from drnsr.images.page import Metadata, Page, Resolution, UpscaledPage
from drnsr.images.picture import (
    GRAY,
    GRAY_ALPHA,
    RGB,
    RGBA,
    Picture,
    Pixels,
    from_array,
    full_range,
)
from drnsr.images.pixel_file import iter_thin, stored

IPTC_BLOCK = 0x0404
"""The number of IPTC among the blocks of Photoshop in a JPEG."""

_CHANNELS = {"L": GRAY, "LA": GRAY_ALPHA, "RGB": RGB, "RGBA": RGBA}
_UNCHANGED = frozenset({*_CHANNELS, "I;16", "F"})
_CONVERTED = {"1": "L", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "PA": "RGBA"}

# Bytes of the ICC profile and of each text of a PNG. Pillow's limit of 1 MiB is less than the
# profiles of printers need.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY

_FORMATS_OF_A_CODEC = 2  # at most, such as BMP and DIB; data sets have more
_HEADER = 1 << 16  # bytes in which a file states its depth


@dataclass(frozen=True, kw_only=True)
class PillowCodec(Codec):
    """A format that Pillow reads and writes.

    Attributes:
        options: arguments of ``Image.save``.
        max_dpi: the largest resolution that the format itself can state; EXIF can state more.
    """

    held: float = 4.0
    options: Mapping[str, Any] = field(default_factory=dict)
    max_dpi: int | None = None

    def read(self, path: Path) -> list[Page]:
        """See :meth:`Codec.read`."""
        return [read_page(path, self.pillow)]

    def pixel_count(self, path: Path) -> int:
        """See :meth:`Codec.pixel_count`."""
        with opened(path, self.pillow) as image:
            return int(image.width) * int(image.height)

    def provenance(self, path: Path) -> object:
        """See :meth:`Codec.provenance`."""
        with opened(path, self.pillow) as image:
            return image.info.get(PROVENANCE_KEY) or image.getexif().get(SOFTWARE)

    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """Write a picture; 16 bits are rounded to 8 if the format holds no more."""
        page = pages[0]
        image = whole_image(page, deep=self.depth(page.channels) > 8)
        image.save(path, format=self.pillow[0], **self.save_options(page, text))

    def save_options(self, page: UpscaledPage, text: str) -> dict[str, Any]:
        """Return the arguments of ``Image.save``."""
        options = dict(self.options)
        dpi = page.resolution.per_inch() if page.resolution is not None else None
        if dpi and (self.max_dpi is None or max(dpi) <= self.max_dpi):
            options["dpi"] = dpi
        if page.source.metadata.icc:
            options["icc_profile"] = page.source.metadata.icc
        if "exif" in self.keeps:
            options["exif"] = self.exif(page, text)
        if "xmp" in self.keeps and page.source.metadata.xmp:
            options["xmp"] = page.source.metadata.xmp
        return options

    def exif(self, page: UpscaledPage, text: str) -> bytes:
        """Return the EXIF of a page with the provenance."""
        return upscaled_exif(page, text)


def read_page(path: Path, formats: tuple[str, ...], number: int | None = None) -> Page:
    """Read a file with Pillow, upright.

    Args:
        path: the file.
        formats: Pillow's names of the formats that it may have.
        number: the number of the picture in it, from 0; by default the first, with a note if there
            are more.

    Raises:
        ImageError: it is not a picture, damaged, or too large to be held in memory.
    """
    with opened(path, formats) as image:
        if number is not None:
            image.seek(number)
        check_image_size(image)
        if image.mode in ("RGB", "RGBA", "LA") and is_deep(image, read_header(path)):
            raise ImageError(
                f"{image.format} with more than 8 bits a colour: make it a TIFF or PNG first"
            )
        animated = number is None and getattr(image, "n_frames", 1) > 1
        image.load()
        metadata, orientation, notes = header_metadata(image)
        plain, converted = _plain(image)
        picture = stored(_upright_picture(plain, orientation))
    if converted:
        metadata = replace(metadata, icc=None)  # the profile described the colours before
    if animated:
        notes += ("only the first of its pictures is read",)
    return Page(picture, metadata, converted + notes)


def read_header(path: Path) -> bytes:
    """Return the first 64 KiB of a file."""
    with path.open("rb") as file:
        return file.read(_HEADER)


@contextmanager
def opened(source: Path | BinaryIO, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """Open a file with Pillow; its errors in this block become one line.

    Args:
        source: the file, or one in memory.
        formats: Pillow's names of the formats that it may have; Pillow knows others for which it
            starts programs of the system.

    Raises:
        ImageError: it is not a picture, or damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures; check_size refuses
            with Image.open(source, formats=formats) as image:
                yield image
    except UnidentifiedImageError as error:
        if len(formats) > _FORMATS_OF_A_CODEC:
            raise ImageError("not a picture in a format that is known here") from error
        raise ImageError(f"{formats[0]} that is damaged, or of a kind that is not read") from error
    except Image.DecompressionBombError as error:
        count = "".join(re.findall(r"^\D*(\d+) pixels", str(error)))
        raise ImageError(f"{count} pixels, more than the limit of {MAX_PIXELS:,}") from error
    except (UserError, SignalError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders report a damaged file by errors of any type
        # A damaged offset before the beginning of the file is an invalid argument.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        fault = "not supported" if "nsupported" in str(error) else "damaged or truncated"
        raise ImageError(f"{fault} ({error})") from error


def header_metadata(image: Image.Image) -> tuple[Metadata, int, tuple[str, ...]]:
    """Return the metadata in a header, the EXIF orientation, and notes of what was left out."""
    exif, orientation, notes = read_exif(image.getexif)
    xmp = image.info.get("xmp")
    photoshop = image.info.get("photoshop")  # of JPEG: blocks by their numbers
    iptc = photoshop.get(IPTC_BLOCK) if isinstance(photoshop, dict) else None
    dpi = image.info.get("dpi")
    x, y = dpi if isinstance(dpi, tuple) and len(dpi) == 2 else (None, None)
    metadata = Metadata(
        icc=image.info.get("icc_profile") or None,
        resolution=Resolution.parse(y, x) if orientation > 4 else Resolution.parse(x, y),
        exif=exif,
        xmp=upright_xmp(xmp) if isinstance(xmp, bytes) else None,
        iptc=iptc if isinstance(iptc, bytes) else None,
    )
    return metadata, orientation, notes


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn pixels (H, W, C) upright by their EXIF orientation.

    ``ImageOps.exif_transpose`` does it for images of Pillow, which lack most types of TIFF. A value
    that EXIF does not define changes nothing.
    """
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


def check_image_size(image: Image.Image) -> None:
    """Refuse by its header an image that would not fit in memory.

    Raises:
        ImageError: it has more pixels than :data:`drnsr.images.codec.MAX_PIXELS`.
    """
    check_size(image.width, image.height, remedy=f" for {image.format}; TIFF has none")


def is_deep(image: Image.Image, content: bytes) -> bool:
    """Return whether a file has more than 8 bits a channel, which Pillow truncates silently.

    Args:
        image: opened, and not yet loaded.
        content: the file, or its first 64 KiB.
    """
    if isinstance(image, TiffImageFile):
        return any(bits > 8 for bits in image.tag_v2.get(BITSPERSAMPLE, (8,)))
    if image.format == "JPEG2000":
        return jpeg2000_bits(content) > 8
    if image.format == "AVIF":
        return avif_bits(content) > 8
    tiles = getattr(image, "tile", [])
    if image.format == "PPM":  # the arguments of its decoder end with the largest value
        return any(tile.codec_name == "ppm" and tile.args[-1] > 255 for tile in tiles)
    # A tile's arguments name the type of pixels in the file, such as "RGB;16B". "BGR;16" in BMP has
    # 5, 6 and 5 bits.
    return any(";16" in str(tile.args) and "BGR;16" not in str(tile.args) for tile in tiles)


def avif_bits(content: bytes) -> int:
    """Return the depth by the configuration of the codec (AV1 in ISOBMFF, section 2.3.3)."""
    start = content.find(b"av1C")
    third = int.from_bytes(content[start + 6 : start + 7]) if start >= 0 else 0
    if not third & 0x40:  # high_bitdepth
        return 8
    return 12 if third & 0x20 else 10  # twelve_bit


def jpeg2000_bits(content: bytes) -> int:
    """Return the depth of the deepest component, by the marker SIZ (ISO/IEC 15444-1, A.5.1)."""
    start = content.find(b"\xff\x4f\xff\x51")  # the codestream begins, and SIZ comes first
    components = int.from_bytes(content[start + 40 : start + 42], "big")
    depths = content[start + 42 : start + 42 + 3 * components : 3]
    return max(((depth & 0x7F) + 1 for depth in depths), default=8)


def picture_of_pillow(image: Image.Image) -> Picture:
    """Return the pixels of a Pillow image, not turned upright."""
    plain, _ = _plain(image)
    return from_array(_pixels(plain), _CHANNELS.get(plain.mode, GRAY))


def _upright_picture(image: Image.Image, orientation: int) -> Picture:
    """Return a picture whose rows are cut from an image of :func:`_plain`, and turned upright."""
    is_turned = orientation in (5, 6, 7, 8)
    height, width = (image.width, image.height) if is_turned else (image.height, image.width)

    def rows(top: int, bottom: int) -> Pixels:
        if orientation in (3, 4, 7, 8):  # the first row is the last row or column of the image
            top, bottom = height - bottom, height - top
        box = (top, 0, bottom, width) if is_turned else (0, top, width, bottom)
        return upright(_pixels(image.crop(box)), orientation)

    dtype = {"F": np.float32, "I": np.uint16, "I;16": np.uint16}.get(image.mode, np.uint8)
    channels = _CHANNELS.get(image.mode, GRAY)
    return Picture(height, width, np.dtype(dtype), channels, full_range(np.dtype(dtype)), rows)


def _pixels(plain: Image.Image) -> Pixels:
    pixels = np.asarray(plain)
    if plain.mode in ("I", "I;16"):
        if pixels.min() < 0 or pixels.max() > 65_535:
            raise ImageError("gray of 32 bits: make it a TIFF first")
        pixels = pixels.astype(np.uint16)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _plain(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Return gray, RGB or either with alpha, and a note if the conversion changes colours."""
    mode = image.mode
    if mode in ("L", "RGB", "P") and image.has_transparency_data:
        return image.convert("LA" if mode == "L" else "RGBA"), ()
    if mode in _UNCHANGED or mode == "I":
        return image, ()
    if mode.startswith("I;16"):
        return image.convert("I"), ()
    if mode == "P":
        return image.convert("RGB"), ()
    if mode in _CONVERTED:
        return image.convert(_CONVERTED[mode]), ()
    return _to_rgb(image), (f"{mode} converted to RGB",)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert to RGB by the image's colour profile, if it has one that can be used."""
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
            pass  # the profile is damaged, or describes another colour space
    return image.convert("RGB")


def whole_image(page: UpscaledPage, *, deep: bool = False) -> Image.Image:
    """Upscale a page band by band into an image, so that its pixels are in memory once.

    Args:
        page: the page.
        deep: keep 16 bits, which Pillow can do for gray; they are rounded to 8 otherwise.
    """
    image: Image.Image | None = None
    top = 0
    for band in iter_thin(page.rows, page.width):
        part = to_pillow(band if deep else in_8_bits(band))
        if image is None:
            image = Image.new(part.mode, (page.width, page.height))
        image.paste(part, (0, top))
        top += len(band)
    assert image is not None
    return image


def in_8_bits(pixels: Pixels) -> Pixels:
    """Round uint16 to uint8; other pixels are returned as they are."""
    if pixels.dtype != np.uint16:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
