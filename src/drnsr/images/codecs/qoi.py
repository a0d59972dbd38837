"""QOI, the "quite OK image format"."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drnsr.images.backends.pillow import PillowCodec, whole_image
from drnsr.images.page import UpscaledPage


@dataclass(frozen=True, kw_only=True)
class QoiCodec(PillowCodec):
    """QOI, which has no gray."""

    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """See :meth:`Codec.write`."""
        image = whole_image(pages[0])
        if image.mode in ("L", "LA"):
            image = image.convert("RGB" if image.mode == "L" else "RGBA")
        image.save(path, format="QOI")


CODEC = QoiCodec(name="qoi", suffixes=(".qoi",), signatures=(b"qoif",), pillow=("QOI",))
