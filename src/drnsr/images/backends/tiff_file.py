"""Opening a TIFF file, after checking that its chain of pages ends."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tifffile import TiffFile

from drnsr.images.errors import ImageError

_MOST_PAGES = 1 << 16

# The first two bytes of a file are the order of bytes. By the next two, for offsets of 32 and of 64
# bits: the place of the first page's offset, the formats of an offset and of a number of tags, and
# the size of a tag in bytes.
_ORDERS = {b"II": "<", b"MM": ">"}
_LAYOUTS = {42: (4, "I", "H", 12), 43: (8, "Q", "Q", 20)}


@contextmanager
def opened_tiff(path: Path) -> Iterator[TiffFile]:
    """Open a file, unless its chain of pages is endless.

    Raises:
        ImageError: it is damaged.
    """
    with tiff_errors():
        with path.open("rb") as file:
            _check_chain(file)
        tiff = TiffFile(path)
    with tiff:
        yield tiff


@contextmanager
def tiff_errors() -> Iterator[None]:
    """Convert the errors of tifffile and imagecodecs to one line.

    Raises:
        ImageError: in place of theirs.
    """
    try:
        yield
    except (
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        RuntimeError,
        OSError,
        struct.error,
    ) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        text = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"damaged, or no TIFF that can be read ({text})") from error


def _check_chain(file: BinaryIO) -> None:
    """Follow the chain of pages, each of which states its number of tags and the next page's place.

    Raises:
        ImageError: a page comes twice, pages overlap, or there are too many.
    """
    size = os.fstat(file.fileno()).st_size
    order, version = file.read(2), file.read(2)
    end = _ORDERS[order]
    start, offset_format, count_format, tag_size = _LAYOUTS[struct.unpack(f"{end}H", version)[0]]
    offset_size, count_size = (struct.calcsize(each) for each in (offset_format, count_format))

    def number(place: int, form: str, length: int) -> int:
        file.seek(place)
        content = file.read(length)
        # In a truncated file the chain ends.
        return int(struct.unpack(f"{end}{form}", content)[0]) if len(content) == length else 0

    seen: set[int] = set()
    taken = 0
    page = number(start, offset_format, offset_size)
    while 0 < page < size:
        if page in seen:
            raise ImageError("damaged (its chain of pages is a circle)")
        seen.add(page)
        tags = number(page, count_format, count_size)
        taken += count_size + tags * tag_size
        if taken > size:
            raise ImageError("damaged (its pages have more tags than fit in the file)")
        if len(seen) > _MOST_PAGES:
            raise ImageError(f"more than {_MOST_PAGES:,} pages: split the file")
        page = number(page + count_size + tags * tag_size, offset_format, offset_size)
