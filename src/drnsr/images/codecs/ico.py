"""ICO, icons of Windows: the largest picture of a file is read."""

from drnsr.images.backends.pillow import PillowCodec

CODEC = PillowCodec(
    name="ico",
    suffixes=(".ico",),
    signatures=(b"\0\0\x01\0",),
    written_as="png",
    pillow=("ICO",),
)
