"""Boxes, of which files of JPEG 2000, JPEG XL and HEIF consist (ISO/IEC 14496-12, 4.2)."""

import os
from collections.abc import Iterator
from typing import BinaryIO

_HEADER = 8  # bytes: length and name
_MOST_BOXES = 1000


def find_box(file: BinaryIO, name: bytes) -> int | None:
    """Move a file to the content of the next box of a name.

    Args:
        file: at the beginning of a box.
        name: four bytes, such as ``b"jxlc"``.

    Returns:
        The length of the content in bytes; None if there is no such box.
    """
    size = os.fstat(file.fileno()).st_size
    for _ in range(_MOST_BOXES):
        start = file.tell()
        head = file.read(_HEADER)
        if len(head) < _HEADER:
            return None
        length, found = int.from_bytes(head[:4], "big"), head[4:]
        if length == 1:
            length = int.from_bytes(file.read(8), "big")
        if length == 0:  # it reaches to the end
            length = size - start
        content = start + length - file.tell()
        if content < 0 or start + length > size:
            return None
        if found == name:
            return content
        file.seek(start + length)
    return None


def boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the boxes of a file or of a box, up to the first damaged one."""
    place = 0
    for _ in range(_MOST_BOXES):
        length, name = (
            int.from_bytes(content[place : place + 4], "big"),
            content[place + 4 : place + 8],
        )
        start = place + _HEADER
        if length == 1:
            length, start = int.from_bytes(content[start : start + 8], "big"), start + 8
        if length == 0:  # it reaches to the end
            length = len(content) - place
        if len(name) < 4 or not start <= place + length <= len(content):
            return
        yield name, content[start : place + length]
        place += length


def box(name: bytes, content: bytes) -> bytes:
    """Return a box of less than 4 GiB."""
    return (_HEADER + len(content)).to_bytes(4, "big") + name + content
