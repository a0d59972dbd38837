"""Display of pictures of any data type: 8-bit RGB, with a checkerboard behind transparency."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from drnsr.images.page import Page
from drnsr.images.picture import Picture, Pixels, full_range

PremultipliedRGBA = NDArray[np.float32]
"""(H, W, 4): red, green and blue, 0..1 between the picture's black and white and multiplied by
alpha; and alpha, 0..1. Such pixels can be averaged and resized."""

_CHECK_SIZE = 8  # side of a square of the checkerboard in pixels
_CHECK_COLOURS = (1.0, 0.8)


def to_premultiplied(pixels: Pixels, picture: Picture) -> PremultipliedRGBA:
    """Convert pixels of a picture for display: RGB, or its first band as gray.

    Args:
        pixels: (H, W, C), some pixels of the picture.
        picture: defines channels, value range and nodata. Pixels without a valid value are
            transparent.
    """
    displayed_channels = list(picture.channels.groups[0])
    low, high = displayed_range(picture)
    colour = pixels[:, :, displayed_channels]
    is_valid: NDArray[np.bool_] = np.ones((*colour.shape[:2], 1), bool)
    if (channel_is_valid := picture.known(pixels)) is not None:
        is_valid = np.asarray(channel_is_valid[:, :, displayed_channels].all(axis=2, keepdims=True))
    opacity = is_valid.astype(np.float32)
    if picture.channels.alpha is not None:
        transparent, opaque = full_range(picture.dtype)
        alpha = pixels[:, :, [picture.channels.alpha]].astype(np.float32)
        opacity *= ((alpha - transparent) / (opaque - transparent)).clip(0, 1)
    span = np.where(high == low, 1.0, high - low)
    values = (colour.astype(np.float32) - np.float32(low)) / np.float32(span)
    premultiplied = np.where(is_valid, values, np.float32(0)) * opacity
    rgb = np.broadcast_to(premultiplied, (*premultiplied.shape[:2], 3))
    return np.concatenate([rgb, opacity], axis=2)


def displayed_range(picture: Picture) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return black and white of the channels that are displayed: of all, (), or of each, (n,)."""
    shown = list(picture.channels.groups[0])
    low, high = (np.array(each, np.float64) for each in picture.value_range)
    return (low[shown], high[shown]) if low.ndim else (low, high)


@dataclass(frozen=True)
class DisplayRange:
    """The values that are displayed as black and white, as fractions of the picture's range.

    Attributes:
        black: for example 0.0.
        white: for example 1.0; less than ``black`` for a picture whose zero is white.
    """

    black: float
    white: float

    @classmethod
    def for_page(cls, page: Page, thumbnail: PremultipliedRGBA) -> "DisplayRange":
        """Choose the range for a page.

        It is the whole range for 8 bits. Larger data types are seldom used in full, so it is the
        range between the least and largest value.

        Args:
            page: the page to display.
            thumbnail: the whole page at a small size.
        """
        black, white = 0.0, 1.0
        if page.picture.dtype.itemsize > 1:
            opaque = thumbnail[thumbnail[:, :, 3] > 0.5]
            values = (opaque[:, :3] / opaque[:, 3:]).clip(0, 1)
            if values.size and values.min() < values.max():
                black, white = float(values.min()), float(values.max())
        return cls(white, black) if page.metadata.white_is_zero else cls(black, white)

    def describe(self, picture: Picture) -> str:
        """Return the range in values of the picture; empty for the full range of its type."""
        low, high = displayed_range(picture)
        least, most = float(low.min()), float(high.max())
        black, white = (least + value * (most - least) for value in (self.black, self.white))
        if (black, white) == full_range(picture.dtype):
            return ""
        return f"{black:.5g} is black, {white:.5g} white"

    def to_image(self, pixels: PremultipliedRGBA) -> Image.Image:
        """Convert pixels to an RGB image, with a checkerboard behind transparent ones."""
        colour = (pixels[:, :, :3] - self.black * pixels[:, :, 3:]) / (self.white - self.black)
        opacity = pixels[:, :, 3:].clip(0, 1)  # interpolation overshoots
        rows, columns = np.indices(pixels.shape[:2]) // _CHECK_SIZE
        checks = np.choose((rows + columns) % 2, _CHECK_COLOURS)[:, :, None]
        composed = colour.clip(0, opacity) + checks * (1 - opacity)
        return Image.fromarray((composed * 255).round().astype(np.uint8))
