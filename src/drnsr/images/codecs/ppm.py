"""PPM, PGM and PBM of Netpbm."""

import re
from dataclasses import dataclass

from drnsr.images.backends.pillow import PillowCodec
from drnsr.images.picture import Channels


@dataclass(frozen=True, kw_only=True)
class PpmCodec(PillowCodec):
    """Netpbm's formats of black and white, gray and RGB."""

    def recognises(self, head: bytes) -> bool:
        """See :meth:`Codec.recognises`."""
        return re.match(rb"P[1-6]\s+[\d#]", head) is not None

    def depth(self, channels: Channels) -> int:
        """Return 16 for gray, and 8 for RGB, of which Pillow writes no more."""
        return 16 if channels.count == 1 else 8


CODEC = PpmCodec(
    name="ppm",
    suffixes=(".ppm", ".pgm", ".pnm"),
    read_suffixes=(".pbm",),
    bits=(8, 16),
    alpha=False,
    pillow=("PPM",),
    in_datasets=True,
)
