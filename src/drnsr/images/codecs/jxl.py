"""JPEG XL, written with a loss that cannot be seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imagecodecs

from drnsr.images.backends.boxes import box, boxes, find_box
from drnsr.images.backends.imagecodecs import ImagecodecsCodec, Packets
from drnsr.images.encoding import squeeze_gray
from drnsr.images.errors import ImageError
from drnsr.images.metadata.exif import upscaled_exif
from drnsr.images.page import UpscaledPage
from drnsr.images.picture import Pixels

_DISTANCE = 0.5  # in units of what can just be seen: finer than the encoder's default of 1
_CODESTREAM, _CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
# Boxes (ISO/IEC 18181-2): the pixels; EXIF after the offset of its first byte; and so on.
_CODESTREAM_BOX, _EXIF, _XMP, _COMPRESSED = b"jxlc", b"Exif", b"xml ", b"brob"
_NO_OFFSET = bytes(4)
_MOST_BYTES = 16 << 20  # of a box that is compressed
_SIZE_BYTES = 12  # the largest size header has 2 + 2 x 32 + 3 bits
_SIZE_BITS = (9, 13, 18, 30)
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height, from 1


@dataclass(frozen=True, kw_only=True)
class JxlCodec(ImagecodecsCodec):
    """JPEG XL."""

    def decode(self, content: bytes) -> Pixels:
        """See :meth:`ImagecodecsCodec.decode`."""
        pixels: Pixels = imagecodecs.jpegxl_decode(content)
        return pixels

    def header_size(self, path: Path) -> tuple[int, int]:
        """See :meth:`ImagecodecsCodec.header_size`."""
        with path.open("rb") as file:
            head = file.read(len(_CONTAINER))
            file.seek(0)
            if head == _CONTAINER:
                whole, part = find_box(file, _CODESTREAM_BOX), None
                if whole is None:
                    file.seek(0)
                    part = find_box(file, b"jxlp")
                if whole is None and part is None:
                    raise ImageError("damaged or truncated (a JPEG XL file without a picture)")
                file.seek(4 if whole is None else 0, 1)  # a part begins with its number
            start = file.read(len(_CODESTREAM) + _SIZE_BYTES)
        if not start.startswith(_CODESTREAM):
            raise ImageError("damaged or truncated (a JPEG XL file without a picture)")
        return _size(start[len(_CODESTREAM) :])

    def packets(self, content: bytes) -> Packets:
        """See :meth:`ImagecodecsCodec.packets`."""
        exif = xmp = None
        for name, part in boxes(content) if content.startswith(_CONTAINER) else ():
            if name == _COMPRESSED:
                name, part = part[:4], _decompressed(part[4:])
            if name == _EXIF:
                exif = part[4 + int.from_bytes(part[:4], "big") :]
            elif name == _XMP:
                xmp = part
        return Packets(exif=exif, xmp=xmp, turned=True)

    def notes(self, path: Path) -> tuple[str, ...]:
        """See :meth:`ImagecodecsCodec.notes`."""
        return ("its colour profile, if it has another one than sRGB, is not read",)

    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """See :meth:`Codec.write`."""
        pixels = squeeze_gray(pages[0].pixels())
        coded = imagecodecs.jpegxl_encode(pixels, distance=_DISTANCE, usecontainer=True)
        xmp = pages[0].source.metadata.xmp
        with path.open("wb") as file:
            for name, content in boxes(bytes(coded)):
                if name == _CODESTREAM_BOX:
                    exif = upscaled_exif(pages[0], text).removeprefix(b"Exif\0\0")
                    file.write(box(_EXIF, _NO_OFFSET + exif))
                    if xmp:
                        file.write(box(_XMP, xmp))
                file.write(box(name, content))


def _decompressed(content: bytes) -> bytes:
    """Return the content of a compressed box; nothing if it is damaged or too large."""
    try:
        return bytes(imagecodecs.brotli_decode(content, out=_MOST_BYTES))
    except (RuntimeError, ValueError):
        return b""


def _size(header: bytes) -> tuple[int, int]:
    """Return width and height by a SizeHeader (ISO/IEC 18181-1, table D.1)."""
    bits = _Bits(header)
    is_small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if is_small else bits.take(_SIZE_BITS[bits.take(2)]) + 1

    height = side()
    ratio = bits.take(3)
    if ratio == 0:
        return side(), height
    wide, high = _RATIOS[ratio - 1]
    return height * wide // high, height


class _Bits:
    """Reads numbers of some bits, the lowest bit first."""

    def __init__(self, content: bytes) -> None:
        self._rest = int.from_bytes(content, "little")

    def take(self, count: int) -> int:
        value = self._rest & ((1 << count) - 1)
        self._rest >>= count
        return value


CODEC = JxlCodec(
    name="jxl",
    suffixes=(".jxl",),
    signatures=(_CODESTREAM, _CONTAINER),
    bits=(8, 16),
    is_lossy=True,
    keeps=frozenset({"resolution", "exif", "xmp"}),
)
