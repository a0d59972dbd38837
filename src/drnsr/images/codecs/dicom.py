"""DICOM, the format of medical imaging.

``backends/dicom.py`` needs pydicom and is imported when a DICOM file is opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drnsr.images.codec import Codec
from drnsr.images.page import Page, UpscaledPage

_PREAMBLE = 128  # bytes before the signature, with any content

# The beginnings of a file without preamble: an element of group 2 or 8, little endian, with a type
# in two letters, such as the length of the group or the character set (PS3.5, 7.1.2).
_FIRST_ELEMENTS = tuple(
    group + element + kind
    for group, element, kind in (
        (b"\x02\0", b"\0\0", b"UL"),
        (b"\x08\0", b"\0\0", b"UL"),
        (b"\x08\0", b"\x05\0", b"CS"),
        (b"\x08\0", b"\x08\0", b"CS"),
        (b"\x08\0", b"\x12\0", b"DA"),
        (b"\x08\0", b"\x16\0", b"UI"),
    )
)


@dataclass(frozen=True, kw_only=True)
class DicomCodec(Codec):
    """DICOM."""

    def recognises(self, head: bytes) -> bool:
        """See :meth:`Codec.recognises`."""
        signed = head[_PREAMBLE : _PREAMBLE + 4] == b"DICM"
        return signed or head.startswith(_FIRST_ELEMENTS)

    def may_be(self, head: bytes) -> bool:
        """Return whether it begins with an element of group 8, whose type may be implicit."""
        return head.startswith(b"\x08\0")

    def read(self, path: Path) -> list[Page]:
        """See :meth:`Codec.read`."""
        from drnsr.images.backends.dicom import read_frames

        return read_frames(path)

    def pixel_count(self, path: Path) -> int:
        """See :meth:`Codec.pixel_count`."""
        from drnsr.images.backends.dicom import frame_pixels

        return frame_pixels(path)

    def provenance(self, path: Path) -> object:
        """See :meth:`Codec.provenance`."""
        from drnsr.images.backends.dicom import stored_text

        return stored_text(path)

    def check(self, pages: Sequence[UpscaledPage]) -> None:
        """See :meth:`Codec.check`."""
        from drnsr.images.backends.dicom import check_target

        check_target(pages)

    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """See :meth:`Codec.write`."""
        from drnsr.images.backends.dicom import write_frames

        write_frames(path, pages, text)


CODEC = DicomCodec(
    name="dicom",
    suffixes=(".dcm",),
    extra="medical",
    bits=(8, 16),
    alpha=False,
    is_paged=True,
    keeps=frozenset({"icc", "resolution", "dicom"}),
)
