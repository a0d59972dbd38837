"""A folder with the slices of a DICOM series: one volume.

``backends/dicom_series.py`` needs pydicom and is imported when such a folder is opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drnsr.images.codec import Codec
from drnsr.images.page import Page, UpscaledPage


@dataclass(frozen=True, kw_only=True)
class DicomSeriesCodec(Codec):
    """A folder with a file for each slice."""

    def read(self, path: Path) -> list[Page]:
        """See :meth:`Codec.read`."""
        from drnsr.images.backends.dicom_series import read_slices

        return read_slices(path)

    def pixel_count(self, path: Path) -> int:
        """See :meth:`Codec.pixel_count`."""
        from drnsr.images.backends.dicom_series import voxel_count

        return voxel_count(path)

    def provenance(self, path: Path) -> object:
        """See :meth:`Codec.provenance`."""
        from drnsr.images.backends.dicom_series import stored_text

        return stored_text(path)

    def check(self, pages: Sequence[UpscaledPage]) -> None:
        """See :meth:`Codec.check`."""
        from drnsr.images.backends.dicom import check_target

        for page in pages:
            check_target([page])

    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """See :meth:`Codec.write`; the path is that of an empty folder."""
        from drnsr.images.backends.dicom_series import write_slices

        write_slices(path, pages, text)


CODEC = DicomSeriesCodec(
    name="dicom series",
    extra="medical",
    bits=(8, 16),
    alpha=False,
    is_paged=True,
    is_folder=True,
    keeps=frozenset({"icc", "resolution", "dicom"}),
)
