"""What there is to enlarge: pixels that are read row by row, and what their channels mean."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]
"""(H, W, C) of any type that a picture can have."""


@dataclass(frozen=True)
class Channels:
    """What the channels of a picture are to a network.

    Attributes:
        groups: the channels that are enlarged together: three are RGB, one is a gray plane or a
            band.
        alpha: the one that says how opaque those before it are; colour is not multiplied by it.
    """

    groups: tuple[tuple[int, ...], ...]
    alpha: int | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(map(len, self.groups)) + (self.alpha is not None)

    @property
    def colour(self) -> int:
        """How many there are without alpha."""
        return sum(map(len, self.groups))


GRAY = Channels(((0,),))
GRAY_ALPHA = Channels(((0,),), alpha=1)
RGB = Channels(((0, 1, 2),))
RGBA = Channels(((0, 1, 2),), alpha=3)
_USUAL = {1: GRAY, 2: GRAY_ALPHA, 3: RGB, 4: RGBA}

_NO_DATA = 1e30
_SCANNED = 1 << 20  # pixels that are looked at together


def usual_channels(count: int) -> Channels:
    """What one to four channels usually are; more are bands, each by itself."""
    return _USUAL.get(count) or Channels(tuple((number,) for number in range(count)))


@dataclass(frozen=True)
class Picture:
    """A picture, of which no more than a few rows need be in memory.

    Attributes:
        height: in pixels.
        width: in pixels.
        dtype: of a pixel.
        channels: what they are.
        value_range: the values of colour that are black and white to the network; of alpha it is
            all that the type can hold.
        rows: from (top, bottom) to pixels (bottom - top, width, C) of ``dtype``.
        nodata: the value that says that nothing is known of a pixel, as some floats do always.
        keeps_holes: pixels of which nothing is known are to be so in what is made of them, and not
            to be filled from around them.
    """

    height: int
    width: int
    dtype: np.dtype[Any]
    channels: Channels
    value_range: tuple[float, float]
    rows: Callable[[int, int], Pixels]
    nodata: float | None = None
    keeps_holes: bool = True

    def known(self, pixels: Pixels) -> NDArray[np.bool_] | None:
        """Of which values of pixels (H, W, C) something is known; None where it is of all.

        Of floats NaN and infinity say nothing, nor do the largest and smallest, by which programs
        mark what they do not know.
        """
        known = None
        if np.issubdtype(self.dtype, np.floating):
            known = np.abs(pixels) < min(_NO_DATA, float(np.finfo(self.dtype).max))
        if self.nodata is not None:
            differs = pixels != self.nodata
            if self.channels.alpha is not None:
                differs[:, :, self.channels.alpha] = True  # of which it says nothing
            known = differs if known is None else known & differs
        return known

    @property
    def may_have_holes(self) -> bool:
        """Whether there may be pixels of which nothing is known, or that are not seen."""
        floating = np.issubdtype(self.dtype, np.floating)
        return self.channels.alpha is not None or self.nodata is not None or floating


@dataclass(frozen=True)
class Box:
    """A part of a picture in pixels; ``bottom`` and ``right`` are the first beyond it."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def side(self) -> int:
        """The longer one in pixels."""
        return max(self.height, self.width)


def full_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Black and white of whole numbers: all that the type can hold; of floating point, 0 and 1."""
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return float(limits.min), float(limits.max)
    return 0.0, 1.0


def gathered(rows: Iterable[Pixels], shape: tuple[int, int, int], dtype: np.dtype[Any]) -> Pixels:
    """Bands of rows as one array (H, W, C), without a second copy of them all."""
    whole = np.empty(shape, dtype)
    top = 0
    for band in rows:
        whole[top : top + len(band)] = band
        top += len(band)
    return whole


def scanned(picture: Picture) -> Iterator[Pixels]:
    """All rows of a picture from top to bottom, a band after the other."""
    height = max(1, _SCANNED // picture.width)
    for top in range(0, picture.height, height):
        yield picture.rows(top, min(top + height, picture.height))


def of_array(pixels: Pixels, channels: Channels | None = None) -> Picture:
    """A picture that lies in memory as (H, W, C)."""
    return Picture(
        height=pixels.shape[0],
        width=pixels.shape[1],
        dtype=pixels.dtype,
        channels=channels or usual_channels(pixels.shape[2]),
        value_range=full_range(pixels.dtype),
        rows=lambda top, bottom: pixels[top:bottom],
    )
