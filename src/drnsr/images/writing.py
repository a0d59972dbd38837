"""Writing upscaled pictures."""

from collections.abc import Sequence
from pathlib import Path

from drnsr.atomic import atomic_folder, atomic_path
from drnsr.images.backends.gdal import add_overviews
from drnsr.images.codec import Codec
from drnsr.images.page import UpscaledPage


def write_picture(
    path: Path,
    codec: Codec,
    pages: Sequence[UpscaledPage],
    text: str,
    *,
    overviews: bool = False,
) -> None:
    """Upscale the pages and write them, whole or not at all.

    Args:
        path: the file or folder; the folder of it is created if it is missing.
        codec: the format.
        pages: checked by :meth:`drnsr.images.codec.Codec.check`.
        text: the provenance, for formats that can store a text.
        overviews: whether to add overviews; the format is TIFF, and there is one page.

    Raises:
        OSError: it cannot be written; the error names the file.
    """
    with (atomic_folder if codec.is_folder else atomic_path)(path) as partial:
        codec.write(partial, pages, text)
        if overviews:
            add_overviews(partial)
