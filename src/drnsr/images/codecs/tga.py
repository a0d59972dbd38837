"""TGA, which has no signature."""

from dataclasses import dataclass

from drnsr.images.backends.pillow import PillowCodec

_HEADER = 18  # bytes
_COLOUR_MAPS = (0, 1)
_IMAGE_TYPES = (1, 2, 3, 9, 10, 11)
_BITS = (8, 15, 16, 24, 32)


@dataclass(frozen=True, kw_only=True)
class TgaCodec(PillowCodec):
    """TGA."""

    def recognises(self, head: bytes) -> bool:
        """Return False: a file is recognised by its suffix and :meth:`may_be`."""
        return False

    def may_be(self, head: bytes) -> bool:
        """Return whether the header has values that TGA defines."""
        return (
            len(head) >= _HEADER
            and head[1] in _COLOUR_MAPS
            and head[2] in _IMAGE_TYPES
            and head[16] in _BITS
        )


CODEC = TgaCodec(name="tga", suffixes=(".tga",), pillow=("TGA",))
