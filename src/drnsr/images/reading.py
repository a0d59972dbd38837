"""Opening a picture file by what is in it, whatever it is called."""

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drnsr.errors import SignalError
from drnsr.images.file import ANIMATED, PAGED, SUFFIXES, Format, Page
from drnsr.images.files import ImageError
from drnsr.images.value_range import with_ranges

_HEAD = 132  # bytes in which each format can be told
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # sizes in bytes of what follows BMP's own
_BEGINNINGS: dict[bytes, Format] = {
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"\0\0\0\x0cjP  \r\n\x87\n": "jp2",
    b"\xff\x4f\xff\x51": "jp2",
    b"\xff\x0a": "jxl",
    b"\0\0\0\x0cJXL \r\n\x87\n": "jxl",
    b"qoif": "qoi",
    b"\0\0\x01\0": "ico",
    b"DDS ": "dds",
    b"#?RADIANCE\n": "hdr",
    b"#?RGBE\n": "hdr",
}
_BRANDS: dict[bytes, Format] = {
    b"avif": "avif",
    b"avis": "avif",
    b"heic": "heif",
    b"heix": "heif",
    b"heim": "heif",
    b"heis": "heif",
    b"hevc": "heif",
    b"mif1": "heif",
    b"msf1": "heif",
}
"""Of files in boxes (ISO 14496-12), what stands behind ``ftyp``."""
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True)
class PictureFile:
    """An open file.

    Attributes:
        format: what it is.
        pages: more than one in TIFF, DICOM and animations alone.
    """

    format: Format
    pages: list[Page]


@contextmanager
def open_picture(
    path: Path, value_range: tuple[float, float] | None = None, *, measured: bool = True
) -> Iterator[PictureFile]:
    """Open a file; pixels of TIFF are read as they are asked for, so long as it is open.

    Args:
        path: of the file.
        value_range: what is black and white, where the file's type does not say it.
        measured: where neither does, look at all pixels for it.

    Raises:
        ImageError: it is missing, no picture, damaged, or too large; the message names it.
    """
    try:
        with _opened(path) as file:
            if not file.pages:
                raise ImageError("a file without a picture")
            # 8 bits of the other formats are used in full.
            deep = file.format in PAGED or file.pages[0].picture.dtype.itemsize > 1
            asked = value_range if deep else None
            pages = with_ranges(file.pages, asked, measured=measured)
            yield PictureFile(file.format, pages)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[PictureFile]:
    file_format = format_of(path)
    if file_format == "tiff":
        from drnsr.images.codecs.tiff import read_pages
        from drnsr.images.codecs.tiff_file import opened_tiff

        with opened_tiff(path) as tiff:
            yield PictureFile("tiff", read_pages(tiff, path))
    elif file_format == "dicom":
        from drnsr.images.codecs.dicom import read_frames

        yield PictureFile("dicom", read_frames(path))
    elif file_format in ("jp2", "jxl", "hdr"):
        from drnsr.images.codecs.coded import read_coded

        yield PictureFile(file_format, [read_coded(path, file_format)])
    else:
        from drnsr.images.codecs.animation import read_animation
        from drnsr.images.codecs.pillow import read_page
        from drnsr.images.codecs.png import read_png

        frames = read_animation(path) if file_format in ANIMATED else []
        read = read_png if file_format == "png" else read_page
        yield PictureFile(file_format, frames or [read(path)])


def format_of(path: Path) -> Format:
    """By how the file begins; its name may be wrong.

    Raises:
        ImageError: it cannot be read, is empty, no regular file (a pipe would never end), or of no
            format that is known here.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ImageError("no regular file")
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise ImageError(error.strerror or str(error)) from error
    if not head:
        raise ImageError("an empty file")
    found = _format_of_head(head)
    if found is None and SUFFIXES.get(path.suffix.lower()) == "tga" and _is_tga(head):
        found = "tga"
    if found is None:
        raise ImageError("not a picture in a format that is known here")
    return found


def _format_of_head(head: bytes) -> Format | None:
    """More than the first two bytes are asked, for texts and sounds begin like some formats."""
    if head[128:132] == b"DICM":
        return "dicom"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(_TIFF):
        return "tiff"
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "bmp"
    for start, name in _BEGINNINGS.items():
        if head.startswith(start):
            return name
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    if re.match(rb"P[1-6]\s+[\d#]", head):
        return "ppm"
    return None


def _is_tga(head: bytes) -> bool:
    """It begins with nothing of its own: this is what its header can say."""
    if len(head) < 18:
        return False
    return head[1] in (0, 1) and head[2] in (1, 2, 3, 9, 10, 11) and head[16] in (8, 15, 16, 24, 32)


def pixel_count(path: Path) -> int:
    """How many pixels a file's header promises, all pages together; 0 where it cannot be told."""
    try:
        file_format = format_of(path)
        if file_format == "dicom":
            from drnsr.images.codecs.dicom import frame_pixels

            return frame_pixels(path)
        if file_format == "tiff":
            from drnsr.images.codecs.tiff import wanted_pages
            from drnsr.images.codecs.tiff_file import opened_tiff, tiff_errors

            with opened_tiff(path) as tiff, tiff_errors():
                return sum(page.imagewidth * page.imagelength for page in wanted_pages(tiff))
        from drnsr.images.codecs.pillow import opened

        with opened(path) as image:
            return int(image.width) * int(image.height)
    except SignalError:
        raise
    except Exception:
        return 0  # whatever is wrong with it, to enlarge it will tell
