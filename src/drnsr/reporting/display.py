"""Pixels of any picture as a screen shows them: 8 bits, and a checkerboard behind what is clear."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from drnsr.images.file import Page
from drnsr.images.picture import Picture, Pixels, full_range

Seen = NDArray[np.float32]
"""(H, W, 4): red, green and blue, 0..1 between the picture's black and white and multiplied by how
opaque a pixel is; and that, 0..1. So they can be averaged."""

_CHECK = 8  # side of a square in pixels
_CHECKS = (1.0, 0.8)


def seen(pixels: Pixels, picture: Picture) -> Seen:
    """What there is to see of pixels: RGB, or the first band for all three.

    Args:
        pixels: (H, W, C) of the picture.
        picture: says what they mean. Where nothing is known of a pixel, it is not opaque.
    """
    low, high = picture.value_range
    shown_channels = list(picture.channels.groups[0])
    colour = pixels[:, :, shown_channels]
    known: NDArray[np.bool_] = np.ones((*colour.shape[:2], 1), bool)
    if (of_each := picture.known(pixels)) is not None:
        known = np.asarray(of_each[:, :, shown_channels].all(axis=2, keepdims=True))
    opacity = known.astype(np.float32)
    if picture.channels.alpha is not None:
        clear, opaque = full_range(picture.dtype)
        alpha = pixels[:, :, [picture.channels.alpha]].astype(np.float32)
        opacity *= ((alpha - clear) / (opaque - clear)).clip(0, 1)
    values = (colour.astype(np.float32) - np.float32(low)) / np.float32((high - low) or 1.0)
    shown = np.where(known, values, np.float32(0)) * opacity
    return np.concatenate([np.broadcast_to(shown, (*shown.shape[:2], 3)), opacity], axis=2)


@dataclass(frozen=True)
class Shades:
    """Which values are shown as black and as white, as parts of the picture's range.

    Attributes:
        black: such as 0.0.
        white: such as 1.0; less than ``black`` for a picture whose zero is white.
    """

    black: float
    white: float

    @classmethod
    def of(cls, page: Page, small: Seen) -> "Shades":
        """Those of a page; of types with more than 8 bits, which are seldom used in full, as found.

        Args:
            page: to show.
            small: all of it, made small.
        """
        black, white = 0.0, 1.0
        if page.picture.dtype.itemsize > 1:
            opaque = small[small[:, :, 3] > 0.5]
            values = (opaque[:, :3] / opaque[:, 3:]).clip(0, 1)
            if values.size and values.min() < values.max():
                black, white = float(values.min()), float(values.max())
        return cls(white, black) if page.metadata.white_is_zero else cls(black, white)

    def told(self, picture: Picture) -> str:
        """In values of the picture; empty for all that its type can hold."""
        low, high = picture.value_range
        black, white = (low + shade * (high - low) for shade in (self.black, self.white))
        if (black, white) == full_range(picture.dtype):
            return ""
        return f"{black:.5g} is black, {white:.5g} white"

    def paint(self, pixels: Seen) -> Image.Image:
        """As an RGB image, over a checkerboard where it can be seen through."""
        colour = (pixels[:, :, :3] - self.black * pixels[:, :, 3:]) / (self.white - self.black)
        opacity = pixels[:, :, 3:].clip(0, 1)  # beyond which interpolation swings
        rows, columns = np.indices(pixels.shape[:2]) // _CHECK
        checks = np.choose((rows + columns) % 2, _CHECKS)[:, :, None]
        painted = colour.clip(0, opacity) + checks * (1 - opacity)
        return Image.fromarray((painted * 255).round().astype(np.uint8))
