"""BMP with transparency: Pillow reads it, and writes the header without masks that has none.

Layout: Microsoft, "BITMAPV4HEADER structure" (Windows GDI).
"""

import struct
from pathlib import Path

from PIL import Image

from drnsr.images.file import Resolution

_FILE_HEADER, _V4_HEADER = 14, 108
_BIT_FIELDS = 3
_MASKS = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)  # red, green, blue, alpha
_INCHES_IN_METRE = 1 / 0.0254


def write_with_alpha(path: Path, image: Image.Image, resolution: Resolution | None) -> None:
    """Write RGBA of 8 bits a channel with a V4 header, which says where alpha stands.

    Args:
        path: to be written.
        image: of mode RGBA.
        resolution: of the picture.
    """
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
