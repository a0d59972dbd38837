"""NIfTI, the format of neuroimaging: volumes, and series of volumes over time.

``backends/nifti.py`` needs nibabel and is imported when a NIfTI file is opened.
"""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drnsr.images.codec import Codec
from drnsr.images.page import Page, UpscaledPage

# A header begins with its size, 348 or 540, in the byte order of the file. That of NIfTI-1 is also
# that of Analyze 7.5; the backend checks the magic string at its end.
_SIZES = tuple(size.to_bytes(4, order) for size in (348, 540) for order in ("little", "big"))

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, kw_only=True)
class NiftiCodec(Codec):
    """NIfTI-1 and NIfTI-2 in a single file, compressed by gzip or not."""

    def recognises(self, head: bytes) -> bool:
        """See :meth:`Codec.recognises`."""
        if head.startswith(_GZIP):
            try:
                head = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, 4)
            except zlib.error:
                return False
        return head.startswith(_SIZES)

    @contextmanager
    def open(self, path: Path) -> Iterator[list[Page]]:
        """See :meth:`Codec.open`."""
        from drnsr.images.backends.nifti import open_slices

        with open_slices(path) as pages:
            yield pages

    def read(self, path: Path) -> list[Page]:
        """See :meth:`Codec.read`."""
        raise NotImplementedError("slices can be read while the file is open")

    def pixel_count(self, path: Path) -> int:
        """See :meth:`Codec.pixel_count`."""
        from drnsr.images.backends.nifti import voxel_count

        return voxel_count(path)

    def provenance(self, path: Path) -> object:
        """See :meth:`Codec.provenance`."""
        from drnsr.images.backends.nifti import stored_text

        return stored_text(path)

    def check(self, pages: Sequence[UpscaledPage]) -> None:
        """See :meth:`Codec.check`."""
        from drnsr.images.backends.nifti import check_target

        check_target(pages)

    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """See :meth:`Codec.write`; the file is compressed if its suffix is ``.gz``."""
        from drnsr.images.backends.nifti import write_slices

        write_slices(path, pages, text)


CODEC = NiftiCodec(
    name="nifti",
    suffixes=(".nii", ".nii.gz"),
    extra="medical",
    bits=(8, 16),
    alpha=False,
    is_paged=True,
    keeps=frozenset({"nifti"}),
)
