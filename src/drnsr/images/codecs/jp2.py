"""JPEG 2000, written without loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imagecodecs

from drnsr.images.backends.imagecodecs import ImagecodecsCodec
from drnsr.images.backends.pillow import opened
from drnsr.images.page import UpscaledPage
from drnsr.images.picture import Pixels


@dataclass(frozen=True, kw_only=True)
class Jp2Codec(ImagecodecsCodec):
    """JPEG 2000."""

    def decode(self, content: bytes) -> Pixels:
        """See :meth:`ImagecodecsCodec.decode`."""
        pixels: Pixels = imagecodecs.jpeg2k_decode(content)
        return pixels

    def header_size(self, path: Path) -> tuple[int, int]:
        """See :meth:`ImagecodecsCodec.header_size`."""
        with opened(path, self.pillow) as image:
            return image.size

    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """See :meth:`Codec.write`."""
        pixels = pages[0].pixels()
        pixels = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
        path.write_bytes(imagecodecs.jpeg2k_encode(pixels, reversible=True, codecformat="jp2"))


CODEC = Jp2Codec(
    name="jp2",
    suffixes=(".jp2", ".j2k"),
    read_suffixes=(".j2c", ".jpc", ".jpf", ".jpx"),
    signatures=(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    bits=(8, 16),
    pillow=("JPEG2000",),
    in_datasets=True,
)
