"""WebP, still and animated."""

from dataclasses import dataclass

from drnsr.images.backends.animation import AnimatedCodec


@dataclass(frozen=True, kw_only=True)
class WebpCodec(AnimatedCodec):
    """WebP."""

    def recognises(self, head: bytes) -> bool:
        """See :meth:`Codec.recognises`."""
        return head.startswith(b"RIFF") and head[8:12] == b"WEBP"


CODEC = WebpCodec(
    name="webp",
    suffixes=(".webp",),
    max_side=16_383,
    is_lossy=True,
    keeps=frozenset({"icc", "resolution", "exif", "xmp", "duration"}),
    pillow=("WEBP",),
    in_datasets=True,
    options={"quality": 95},
)
