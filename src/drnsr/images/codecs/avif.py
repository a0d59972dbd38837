"""AVIF, still and animated."""

from dataclasses import dataclass

from drnsr.images.backends.animation import AnimatedCodec


@dataclass(frozen=True, kw_only=True)
class AvifCodec(AnimatedCodec):
    """AVIF."""

    def recognises(self, head: bytes) -> bool:
        """See :meth:`Codec.recognises`."""
        return head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis")


CODEC = AvifCodec(
    name="avif",
    suffixes=(".avif",),
    read_suffixes=(".avifs",),
    keeps=frozenset({"icc", "resolution", "exif", "xmp", "duration"}),
    pillow=("AVIF",),
    in_datasets=True,
    options={"quality": 95},
)
