"""JPEG."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from drnsr.images.backends.pillow import IPTC_BLOCK, PillowCodec, in_8_bits
from drnsr.images.metadata.exif import upscaled_exif
from drnsr.images.page import Metadata, UpscaledPage
from drnsr.images.picture import Pixels
from drnsr.images.pixel_file import PixelFile, iter_thin

_MAKER_NOTE, _USER_COMMENT = 0x927C, 0x9286  # tags of EXIF
_LARGEST_EXIF = 65_533  # bytes, because the length of a segment is a number of 16 bits
_LARGEST_PACKET = 65_400  # bytes of XMP or IPTC, which have a header within the segment
_TOO_LARGE = "left out, for JPEG holds 64 KiB"
_LEFT_OUT: dict[tuple[int, ...], str | None] = {
    (): None,
    (_MAKER_NOTE,): f"the maker's note in EXIF, {_TOO_LARGE}",
    (_MAKER_NOTE, _USER_COMMENT): f"the maker's note and the user's comment in EXIF, {_TOO_LARGE}",
}


@dataclass(frozen=True, kw_only=True)
class JpegCodec(PillowCodec):
    """JPEG."""

    def losses(self, pages: Sequence[UpscaledPage], text: str) -> list[str]:
        """See :meth:`Codec.losses`."""
        lost = [*super().losses(pages, text)]
        for page in pages:
            lost += filter(None, [_fitting_exif(page, text)[1]])
            metadata = page.source.metadata
            if metadata.xmp and len(metadata.xmp) > _LARGEST_PACKET:
                lost.append(f"XMP, {_TOO_LARGE}")
            if metadata.iptc and len(metadata.iptc) > _LARGEST_PACKET:
                lost.append(f"IPTC, {_TOO_LARGE}")
        return lost

    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """Write a picture, whose pixels wait in a temporary file until all are computed.

        Pillow encodes whole images only, and reads these from the file.
        """
        page = pages[0]
        mode = "L" if page.channels.count == 1 else "RGBX"
        pixels = PixelFile(_in_bytes_of_pillow(page), path.parent)
        size = (page.width, page.height)
        image = Image.frombuffer(mode, size, pixels.content, "raw", mode, 0, 1)
        with path.open("wb") as file:
            releasing: Any = _Releasing(file, pixels)  # Pillow calls no other method of a file
            image.save(releasing, format="JPEG", **self.save_options(page, text))

    def save_options(self, page: UpscaledPage, text: str) -> dict[str, Any]:
        """See :meth:`PillowCodec.save_options`."""
        options = super().save_options(page, text)
        if len(options.get("xmp", b"")) > _LARGEST_PACKET:
            del options["xmp"]
        iptc = page.source.metadata.iptc
        if iptc and len(iptc) <= _LARGEST_PACKET:
            options["extra"] = _photoshop_segment(iptc)
        return options

    def exif(self, page: UpscaledPage, text: str) -> bytes:
        """See :meth:`PillowCodec.exif`."""
        return _fitting_exif(page, text)[0]


class _Releasing:
    """A file that Pillow writes to; what has been encoded is taken out of memory."""

    def __init__(self, file: IO[bytes], pixels: PixelFile) -> None:
        self._file = file
        self._pixels = pixels

    def write(self, content: bytes) -> int:
        """Write a part of the encoded image."""
        self._pixels.release()
        return self._file.write(content)


def _in_bytes_of_pillow(page: UpscaledPage) -> Iterator[Pixels]:
    """Yield rows as Pillow holds them: RGB takes four bytes a pixel."""
    for band in iter_thin(page.rows, page.width):
        band = in_8_bits(band)
        yield np.pad(band, ((0, 0), (0, 0), (0, 1))) if band.shape[2] == 3 else band


def _photoshop_segment(iptc: bytes) -> bytes:
    """Return the segment APP13 in which JPEG files have IPTC (Adobe, Photoshop File Formats)."""
    block = b"8BIM" + struct.pack(">HHI", IPTC_BLOCK, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)
    content = b"Photoshop 3.0\0" + block
    return b"\xff\xed" + struct.pack(">H", len(content) + 2) + content


def _fitting_exif(page: UpscaledPage, text: str) -> tuple[bytes, str | None]:
    """Return as much EXIF as a JPEG file holds, and a message about what is left out."""
    for without, lost in _LEFT_OUT.items():
        content = upscaled_exif(page, text, without)
        if len(content) <= _LARGEST_EXIF:
            return content, lost
    bare = replace(page, source=replace(page.source, metadata=Metadata()))
    return upscaled_exif(bare, text), f"EXIF, {_TOO_LARGE}"


CODEC = JpegCodec(
    name="jpeg",
    suffixes=(".jpg", ".jpeg", ".jpe", ".jfif"),
    signatures=(b"\xff\xd8\xff",),
    alpha=False,
    max_side=65_500,
    held=0.0,
    is_lossy=True,
    keeps=frozenset({"icc", "resolution", "exif", "xmp", "iptc"}),
    pillow=("JPEG",),
    in_datasets=True,
    # Chroma is stored as sharp as luma, because it was upscaled as well.
    options={"quality": 95, "subsampling": 0},
    max_dpi=65_535,
)
