"""GIF, still and animated, with up to 256 colours a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from drnsr.images.backends.animation import AnimatedCodec
from drnsr.images.page import UpscaledPage


@dataclass(frozen=True, kw_only=True)
class GifCodec(AnimatedCodec):
    """GIF."""

    def losses(self, pages: Sequence[UpscaledPage], text: str) -> list[str]:
        """See :meth:`Codec.losses`."""
        colours = "256 colours a picture in GIF: --format webp or png keeps all"
        return [*super().losses(pages, text), colours]

    def animation_options(self, first: UpscaledPage, text: str) -> dict[str, Any]:
        """See :meth:`AnimatedCodec.animation_options`."""
        loops = first.source.metadata.loops
        # A GIF without a number of loops is shown once.
        looping = {} if loops == 1 else {"loop": loops}
        return {**looping, "comment": text.encode(), "disposal": 2}


CODEC = GifCodec(
    name="gif",
    suffixes=(".gif",),
    signatures=(b"GIF87a", b"GIF89a"),
    is_lossy=True,
    keeps=frozenset({"duration"}),
    pillow=("GIF",),
    in_datasets=True,
)
