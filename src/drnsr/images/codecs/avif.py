"""AVIF, still and animated; Pillow truncates 10 and 12 bits to 8."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import imagecodecs
import numpy as np

from drnsr.images.backends.animation import AnimatedCodec
from drnsr.images.backends.depth import depth_note, scaled_to_type
from drnsr.images.backends.pillow import (
    avif_bits,
    check_image_size,
    header_metadata,
    opened,
    read_header,
    upright,
)
from drnsr.images.errors import ImageError
from drnsr.images.page import Page, UpscaledPage
from drnsr.images.picture import from_array


@dataclass(frozen=True, kw_only=True)
class AvifCodec(AnimatedCodec):
    """AVIF."""

    def recognises(self, head: bytes) -> bool:
        """See :meth:`Codec.recognises`."""
        return head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis")

    def read(self, path: Path) -> list[Page]:
        """See :meth:`Codec.read`."""
        bits = avif_bits(read_header(path))
        if bits == 8:
            return super().read(path)
        with opened(path, self.pillow) as image:
            is_animated = getattr(image, "n_frames", 1) > 1
        if not is_animated:
            return [self._read_deep(path, bits)]
        # imagecodecs has no frame of an animation alone: asked for one, it ends the process.
        note = (f"{bits} bits of an animation become 8",)
        return [replace(page, notes=page.notes + note) for page in super().read(path)]

    def _read_deep(self, path: Path, bits: int) -> Page:
        with opened(path, self.pillow) as image:
            check_image_size(image)
            metadata, orientation, notes = header_metadata(image)
        try:
            pixels = imagecodecs.avif_decode(path.read_bytes())
        except (imagecodecs.AvifError, ValueError, IndexError) as error:
            raise ImageError(f"damaged or truncated ({error})") from error
        pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
        scaled = scaled_to_type(pixels, bits)
        notes += (depth_note(bits, pixels.dtype),)
        return Page(from_array(upright(scaled, orientation)), metadata, notes)

    def losses(self, pages: Sequence[UpscaledPage], text: str) -> list[str]:
        """See :meth:`Codec.losses`."""
        lost = super().losses(pages, text)
        if any(page.source.picture.dtype == np.uint16 for page in pages):
            lost.append("AVIF is written with 8 bits a channel: --format png or tiff keeps 16")
        return lost


CODEC = AvifCodec(
    name="avif",
    suffixes=(".avif",),
    read_suffixes=(".avifs",),
    is_lossy=True,
    keeps=frozenset({"icc", "resolution", "exif", "xmp", "duration"}),
    pillow=("AVIF",),
    in_datasets=True,
    held=9.0,
    options={"quality": 95},
)
