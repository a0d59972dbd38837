"""JPEG 2000, written without loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np

from drnsr.images.backends.boxes import box, boxes
from drnsr.images.backends.depth import depth_note, scaled_to_type
from drnsr.images.backends.imagecodecs import ImagecodecsCodec, Packets
from drnsr.images.backends.pillow import jpeg2000_bits, opened, read_header
from drnsr.images.encoding import squeeze_gray
from drnsr.images.metadata.exif import upscaled_exif
from drnsr.images.page import UpscaledPage
from drnsr.images.picture import Pixels

# The names of boxes with metadata, as ExifTool and Adobe's programs write them (XMP, part 3).
_EXIF = b"JpgTiffExif->JP2"
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF_START = b"Exif\0\0"
_RESTRICTED_ICC = b"\x02"  # a way to state colours (ISO/IEC 15444-1, I.5.3.3)


@dataclass(frozen=True, kw_only=True)
class Jp2Codec(ImagecodecsCodec):
    """JPEG 2000."""

    def decode(self, content: bytes) -> Pixels:
        """See :meth:`ImagecodecsCodec.decode`."""
        pixels: Pixels = imagecodecs.jpeg2k_decode(content)
        bits = jpeg2000_bits(content)
        is_scaled = pixels.dtype.kind == "u" and bits < 8 * pixels.dtype.itemsize
        return scaled_to_type(pixels, bits) if is_scaled else pixels

    def notes(self, path: Path) -> tuple[str, ...]:
        """See :meth:`ImagecodecsCodec.notes`."""
        bits = jpeg2000_bits(read_header(path))
        return (depth_note(bits, np.dtype(np.uint16)),) if 8 < bits < 16 else ()

    def packets(self, content: bytes) -> Packets:
        """See :meth:`ImagecodecsCodec.packets`."""
        icc = exif = xmp = None
        for name, part in boxes(content):
            if name == b"jp2h":
                colours = [c for n, c in boxes(part) if n == b"colr" and c[:1] == _RESTRICTED_ICC]
                icc = colours[0][3:] if colours else None
            elif name == b"uuid" and part.startswith(_EXIF):
                exif = part[len(_EXIF) :]
            elif name == b"uuid" and part.startswith(_XMP):
                xmp = part[len(_XMP) :]
        return Packets(icc=icc, exif=exif, xmp=xmp)

    def header_size(self, path: Path) -> tuple[int, int]:
        """See :meth:`ImagecodecsCodec.header_size`."""
        with opened(path, self.pillow) as image:
            return image.size

    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """See :meth:`Codec.write`."""
        pixels = squeeze_gray(pages[0].pixels())
        coded = imagecodecs.jpeg2k_encode(pixels, reversible=True, codecformat="jp2")
        metadata = pages[0].source.metadata
        with path.open("wb") as file:
            for name, content in boxes(bytes(coded)):
                if name == b"jp2c":  # the pixels
                    exif = upscaled_exif(pages[0], text).removeprefix(_EXIF_START)
                    file.write(box(b"uuid", _EXIF + exif))
                    if metadata.xmp:
                        file.write(box(b"uuid", _XMP + metadata.xmp))
                if name == b"jp2h" and metadata.icc:
                    content = _with_profile(content, metadata.icc)
                file.write(box(name, content))


def _with_profile(header: bytes, icc: bytes) -> bytes:
    """Return the boxes of a JP2 header with a profile instead of a known colour space."""
    colour = _RESTRICTED_ICC + b"\0\0" + icc
    return b"".join(box(n, colour if n == b"colr" else part) for n, part in boxes(header))


CODEC = Jp2Codec(
    name="jp2",
    suffixes=(".jp2", ".j2k"),
    read_suffixes=(".j2c", ".jpc", ".jpf", ".jpx"),
    signatures=(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    bits=(8, 16),
    keeps=frozenset({"icc", "resolution", "exif", "xmp"}),
    pillow=("JPEG2000",),
    in_datasets=True,
)
