"""DDS, textures of DirectX."""

from drnsr.images.backends.pillow import PillowCodec

CODEC = PillowCodec(
    name="dds", suffixes=(".dds",), signatures=(b"DDS ",), written_as="png", pillow=("DDS",)
)
