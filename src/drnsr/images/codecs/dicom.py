"""DICOM, the format of medical imaging.

``backends/dicom.py`` needs pydicom and is imported when a DICOM file is opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drnsr.images.codec import Codec
from drnsr.images.page import Page, UpscaledPage

_PREAMBLE = 128


@dataclass(frozen=True, kw_only=True)
class DicomCodec(Codec):
    """DICOM."""

    def recognises(self, head: bytes) -> bool:
        """See :meth:`Codec.recognises`."""
        return head[_PREAMBLE : _PREAMBLE + 4] == b"DICM"

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
    keeps=frozenset({"resolution", "dicom"}),
)
