"""BMP; transparency is written here, because Pillow reads it and does not write it.

Layout: Microsoft, "BITMAPV4HEADER structure" (Windows GDI).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from drnsr.images.backends.pillow import PillowCodec, whole_image
from drnsr.images.page import Resolution, UpscaledPage

_HEADER_SIZES = (12, 16, 40, 52, 56, 64, 108, 124)  # bytes of the header behind the file's own
_FILE_HEADER, _V4_HEADER = 14, 108
_BIT_FIELDS = 3
_MASKS = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)  # red, green, blue, alpha
_INCHES_IN_METRE = 1 / 0.0254


@dataclass(frozen=True, kw_only=True)
class BmpCodec(PillowCodec):
    """BMP."""

    def recognises(self, head: bytes) -> bool:
        """Return whether it begins so; texts begin with the first two bytes, too."""
        return head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _HEADER_SIZES

    def may_be(self, head: bytes) -> bool:
        """Return whether it begins with the second header, as a DIB of the clipboard does."""
        size = int.from_bytes(head[:4], "little")
        return size in _HEADER_SIZES and head[12:14] == b"\1\0"  # the number of planes

    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """See :meth:`Codec.write`."""
        page = pages[0]
        if page.channels.alpha is None:
            super().write(path, pages, text)
        else:
            _write_with_alpha(path, whole_image(page).convert("RGBA"), page.resolution)


def _write_with_alpha(path: Path, image: Image.Image, resolution: Resolution | None) -> None:
    """Write RGBA of 8 bits a channel with a V4 header, which says where alpha is."""
    dpi = resolution.per_inch() if resolution is not None else None
    x, y = (round(each * _INCHES_IN_METRE) for each in dpi or (0.0, 0.0))
    size = image.width * image.height * 4
    start = _FILE_HEADER + _V4_HEADER
    file_header = struct.pack("<2sIHHI", b"BM", start + size, 0, 0, start)
    header = struct.pack(
        "<IiiHHIIiiII", _V4_HEADER, image.width, image.height, 1, 32, _BIT_FIELDS, size, x, y, 0, 0
    )
    masks = struct.pack("<4I4s", *_MASKS, b"BGRs")  # "sRGB" as a number, little endian
    with path.open("wb") as file:
        file.write((file_header + header + masks).ljust(start, b"\0"))
        file.write(image.tobytes("raw", "BGRA", 0, -1))  # from the lowest row up


CODEC = BmpCodec(
    name="bmp",
    suffixes=(".bmp", ".dib"),
    keeps=frozenset({"resolution"}),
    pillow=("BMP", "DIB"),
    in_datasets=True,
)
