"""Opening a picture file by what is in it, whatever it is called."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drnsr.formats.file import Format, Page
from drnsr.imaging.files import ImageError

# How the files of a format begin. DICOM's have 128 bytes of anything first.
_BEGINNINGS: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"RIFF", "webp"),
    (b"BM", "bmp"),
    *((b"P%d" % number, "ppm") for number in range(1, 7)),
    *((start, "tiff") for start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
)
_DICOM_START, _DICOM = 128, b"DICM"


@dataclass(frozen=True)
class PictureFile:
    """An open file.

    Attributes:
        format: what it is.
        pages: more than one in TIFF and DICOM alone.
    """

    format: Format
    pages: list[Page]


@contextmanager
def open_picture(
    path: Path, value_range: tuple[float, float] | None = None
) -> Iterator[PictureFile]:
    """Open a file; pixels of TIFF are read as they are asked for, so long as it is open.

    Args:
        path: of the file.
        value_range: what is black and white, where the file's type does not say it.

    Raises:
        ImageError: it is missing, no picture, damaged, or too large; the message names it.
    """
    try:
        with _opened(path, value_range) as file:
            if not file.pages:
                raise ImageError("a file without a picture")
            yield file
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


@contextmanager
def _opened(path: Path, value_range: tuple[float, float] | None) -> Iterator[PictureFile]:
    file_format = format_of(path)
    if file_format == "tiff":
        from tifffile import TiffFile

        from drnsr.formats.tiff import read_pages
        from drnsr.formats.tiff_rows import tiff_errors

        with tiff_errors():
            tiff = TiffFile(path)
        with tiff:
            yield PictureFile("tiff", read_pages(tiff, path, value_range))
    elif file_format == "dicom":
        from drnsr.formats.dicom import read_frames

        yield PictureFile("dicom", read_frames(path, value_range))
    elif file_format == "png":
        from drnsr.formats.png import read_png

        yield PictureFile("png", [read_png(path)])
    else:
        from drnsr.formats.pillow import read_page

        yield PictureFile(file_format, [read_page(path)])


def format_of(path: Path) -> Format:
    """By how the file begins; its name may be wrong.

    Raises:
        ImageError: it cannot be read, is empty, or of no format that is known here.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_DICOM_START + len(_DICOM))
    except OSError as error:
        raise ImageError(error.strerror or str(error)) from error
    if not start:
        raise ImageError("an empty file")
    if start[_DICOM_START:] == _DICOM:
        return "dicom"
    for beginning, file_format in _BEGINNINGS:
        if start.startswith(beginning):
            return file_format
    raise ImageError("not a picture in a format that is known here")


def pixel_count(path: Path) -> int:
    """How many pixels a file's header promises, all pages together; 0 where it cannot be told."""
    try:
        file_format = format_of(path)
        if file_format == "dicom":
            from drnsr.formats.dicom import frame_pixels

            return frame_pixels(path)
        if file_format == "tiff":
            from tifffile import TiffFile

            from drnsr.formats.tiff import wanted_pages
            from drnsr.formats.tiff_rows import tiff_errors

            with tiff_errors(), TiffFile(path) as tiff:
                return sum(page.imagewidth * page.imagelength for page in wanted_pages(tiff))
        from drnsr.formats.pillow import opened

        with opened(path) as image:
            return int(image.width) * int(image.height)
    except (ImageError, OSError):
        return 0
