"""Opening a picture file by its content, whatever its name is."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drnsr.errors import SignalError
from drnsr.images.codec import Codec
from drnsr.images.codecs import CODECS, codec_of_content
from drnsr.images.errors import ImageError
from drnsr.images.page import Page
from drnsr.images.value_range import with_ranges

HEAD = 512
"""The number of bytes at the beginning of a file by which its format is recognised."""


@dataclass(frozen=True)
class PictureFile:
    """An open file.

    Attributes:
        codec: its format.
        pages: one or more.
    """

    codec: Codec
    pages: list[Page]


@contextmanager
def open_picture(
    path: Path, value_range: tuple[float, float] | None = None, *, measured: bool = True
) -> Iterator[PictureFile]:
    """Open a file; its pixels can be read while it is open.

    Args:
        path: the file.
        value_range: the values of black and white; it is ignored for formats and types whose 8
            bits are used in full.
        measured: if no range is given, find it from all pixels of types with more than 8 bits.

    Raises:
        ImageError: it is missing, no picture, damaged, or too large; the message names it.
    """
    try:
        codec = codec_of(path)
        with codec.open(path) as pages:
            if not pages:
                raise ImageError("a file without a picture")
            deep = codec.is_paged or pages[0].picture.dtype.itemsize > 1
            ranged = with_ranges(pages, value_range if deep else None, measured=measured)
            yield PictureFile(codec, ranged)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


def codec_of(path: Path) -> Codec:
    """Return the format of a file by its first bytes; that of a folder is a DICOM series.

    Raises:
        ImageError: it cannot be read, is empty, not a regular file, or of no known format.
    """
    try:
        if path.is_dir():
            return CODECS["dicom series"]
        check_regular(path)
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise ImageError(error.strerror or str(error)) from error
    if not head:
        raise ImageError("an empty file")
    codec = codec_of_content(head, path.suffix)
    if codec is None:
        raise ImageError("not a picture in a format that is known here")
    return codec


def check_regular(path: Path) -> None:
    """Refuse folders, pipes and devices: to read a pipe may never end.

    Raises:
        ImageError: it is one of these.
        OSError: it is missing.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ImageError("no regular file")


def pixel_count(path: Path) -> int:
    """Return the number of pixels that a file's header states, all pages together.

    It is 0 if the file cannot be read; opening it reports the reason.
    """
    try:
        return codec_of(path).pixel_count(path)
    except SignalError:
        raise
    except Exception:  # readers raise errors of any type
        return 0
