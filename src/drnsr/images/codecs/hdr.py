"""Radiance HDR, read as floating point."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import imagecodecs

from drnsr.images.backends.imagecodecs import ImagecodecsCodec
from drnsr.images.errors import ImageError
from drnsr.images.page import Page, UpscaledPage
from drnsr.images.picture import Pixels, mean_light

_HEADER = 1 << 16  # bytes in which the size must be found
_SIZE = re.compile(rb"\n\n[-+]([XY]) (\d{1,9}) [-+]([XY]) (\d{1,9})\n")


@dataclass(frozen=True, kw_only=True)
class HdrCodec(ImagecodecsCodec):
    """Radiance HDR."""

    def decode(self, content: bytes) -> Pixels:
        """See :meth:`ImagecodecsCodec.decode`."""
        pixels: Pixels = imagecodecs.rgbe_decode(content)
        return pixels

    def read(self, path: Path) -> list[Page]:
        """See :meth:`Codec.read`."""
        (page,) = super().read(path)
        picture = page.picture
        light = mean_light(picture.rows(0, picture.height))
        return [replace(page, picture=replace(picture, light=light))]

    def header_size(self, path: Path) -> tuple[int, int]:
        """See :meth:`ImagecodecsCodec.header_size`."""
        with path.open("rb") as file:
            found = _SIZE.search(file.read(_HEADER))
        if found is None:
            raise ImageError("damaged or truncated (its header has no size)")
        sides = {found[1]: int(found[2]), found[3]: int(found[4])}
        if len(sides) < 2:
            raise ImageError("damaged (its header has no size)")
        return sides[b"X"], sides[b"Y"]

    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """Not used: see ``written_as``."""
        raise NotImplementedError


CODEC = HdrCodec(
    name="hdr",
    suffixes=(".hdr",),
    signatures=(b"#?RADIANCE\n", b"#?RGBE\n"),
    written_as="tiff",
)
