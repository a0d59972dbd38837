"""Enlarged pictures as a page shows them: 8 bits, whole or a few of their pixels."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from drnsr.images.picture import Box, Picture
from drnsr.reporting.comparison import bicubic_part, repeated
from drnsr.reporting.display import Seen, Shades, seen

CROP_WIDTH, CROP_HEIGHT = 80, 48
"""Of the part that is shown four times as large, so that its pixels can be seen."""

# The longer side, in pixels, that a preview has at most and, by repeating pixels, at least.
_LONGEST, _SHORTEST = 1600, 320

_BAND = 64  # rows at a time; the checkerboard behind what is clear goes on from band to band


@dataclass(frozen=True)
class View:
    """What is seen of a picture.

    Attributes:
        pixels: (H, W, 3), uint8.
        icc: the colour profile that they are meant in.
    """

    pixels: NDArray[np.uint8]
    icc: bytes | None

    @classmethod
    def of(cls, picture: Picture, shades: Shades, icc: bytes | None) -> "View":
        """A picture as it is."""
        return cls(
            _painted(
                picture.width,
                picture.height,
                lambda band: seen(picture.rows(band.top, band.bottom), picture),
                shades,
            ),
            icc,
        )

    @classmethod
    def bicubic(
        cls, picture: Picture, after: tuple[int, int], shades: Shades, icc: bytes | None
    ) -> "View":
        """A picture, enlarged bicubically to (width, height)."""
        return cls(_painted(*after, lambda band: bicubic_part(picture, after, band), shades), icc)

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[0])

    def preview(self, path: Path) -> None:
        """See :func:`write_preview`."""
        write_preview(path, Image.fromarray(self.pixels), self.icc)

    def crop_url(self, left: int, top: int) -> str:
        """An address that holds the pixels from (left, top) on, no more of them than there are."""
        buffer = io.BytesIO()
        crop = self.pixels[top : top + CROP_HEIGHT, left : left + CROP_WIDTH]
        Image.fromarray(crop).save(buffer, format="PNG", icc_profile=self.icc)
        return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def write_preview(path: Path, image: Image.Image, icc: bytes | None) -> None:
    """Write a PNG for the page: a large image shrunk, a small one with each pixel repeated.

    Raises:
        OSError: the disk is full.
    """
    shown = image.copy()
    shown.thumbnail((_LONGEST, _LONGEST), Image.Resampling.LANCZOS)
    shown = repeated(shown, max(1, _SHORTEST // max(shown.size)))
    shown.save(path, format="PNG", compress_level=1, icc_profile=icc)


def _painted(
    width: int, height: int, read: Callable[[Box], Seen], shades: Shades
) -> NDArray[np.uint8]:
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _BAND):
        band = Box(top, min(top + _BAND, height), 0, width)
        pixels[band.top : band.bottom] = np.asarray(shades.paint(read(band)))
    return pixels
