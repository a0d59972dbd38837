"""Pixels that are read row by row, and the meaning of their channels."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]
"""(H, W, C) of any type that a picture can have."""

Limit = float | tuple[float, ...]
"""One value for all channels, or one for each."""

ValueRange = tuple[Limit, Limit]
"""Black and white."""


@dataclass(frozen=True)
class Channels:
    """The meaning of a picture's channels.

    Attributes:
        groups: the channels that are upscaled together: three are RGB, one is a gray plane or a
            band.
        alpha: the channel of opacity; colour is not multiplied by it.
        alpha_is_mask: whether that channel, the last one, is the mask of a GeoTIFF: pixels are data
            or not, and nothing between.
    """

    groups: tuple[tuple[int, ...], ...]
    alpha: int | None = None
    alpha_is_mask: bool = field(default=False, compare=False)  # other formats store it as alpha

    @property
    def count(self) -> int:
        """The number of channels."""
        return self.colour + (self.alpha is not None)

    @property
    def colour(self) -> int:
        """The number of channels without alpha."""
        return sum(map(len, self.groups))


GRAY = Channels(((0,),))
GRAY_ALPHA = Channels(((0,),), alpha=1)
RGB = Channels(((0, 1, 2),))
RGBA = Channels(((0, 1, 2),), alpha=3)
_USUAL = {1: GRAY, 2: GRAY_ALPHA, 3: RGB, 4: RGBA}

_NO_DATA = 1e30
BAND_PIXELS = 1 << 20
"""The pixels of a band of rows that is looked through at a time."""
_BOX_SIDE = 1 << 10  # of as many pixels


def usual_channels(count: int) -> Channels:
    """Return the usual meaning of one to four channels; of more, each is a band."""
    return _USUAL.get(count) or Channels(tuple((number,) for number in range(count)))


@dataclass(frozen=True)
class Box:
    """A part of a picture in pixels; ``bottom`` and ``right`` are exclusive."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """The height in pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """The width in pixels."""
        return self.right - self.left

    @property
    def side(self) -> int:
        """The longer side in pixels."""
        return max(self.height, self.width)


@runtime_checkable
class BoxReader(Protocol):
    """Reads the rows of a picture, and parts of rows without the rest of them."""

    def __call__(self, top: int, bottom: int) -> Pixels:
        """Return rows, (bottom - top, W, C)."""

    def box(self, box: Box) -> Pixels:
        """Return a part, (box.height, box.width, C)."""


@dataclass(frozen=True)
class Picture:
    """A picture, of which only a few rows need to be in memory.

    Attributes:
        height: in pixels.
        width: in pixels.
        dtype: the type of a value.
        channels: their meaning.
        value_range: the values of colour that are black and white to the network; alpha always has
            the full range of its type.
        rows: a function of (top, bottom) that returns pixels (bottom - top, width, C) of ``dtype``;
            if it is a :class:`BoxReader`, parts of a very wide picture can be read.
        nodata: the value of pixels without data, if the file states one.
        light: if the values are light of any brightness, not bounded by a white, their geometric
            mean; the network sees their logarithm, so that a lamp does not make all else black.
        keeps_holes: whether pixels without data stay so in the upscaled picture, instead of being
            filled from their neighbours.
    """

    height: int
    width: int
    dtype: np.dtype[Any]
    channels: Channels
    value_range: ValueRange
    rows: Callable[[int, int], Pixels]
    nodata: float | None = None
    light: float | None = None
    keeps_holes: bool = True

    def box(self, box: Box) -> Pixels:
        """Return a part of the picture, (box.height, box.width, C)."""
        if isinstance(self.rows, BoxReader):
            return self.rows.box(box)
        return self.rows(box.top, box.bottom)[:, box.left : box.right]

    def known(self, pixels: Pixels) -> NDArray[np.bool_] | None:
        """Return which values of pixels (H, W, C) are data; None if all are.

        NaN and infinity are no data, nor are the largest and smallest floats, with which programs
        mark missing values, nor what a mask leaves out.
        """
        known = None
        if np.issubdtype(self.dtype, np.floating):
            known = np.abs(pixels) < min(_NO_DATA, float(np.finfo(self.dtype).max))
        if self.nodata is not None:
            differs = pixels != self.nodata
            if self.channels.alpha is not None:
                differs[:, :, self.channels.alpha] = True  # nodata is a value of colour
            known = differs if known is None else known & differs
        if self.channels.alpha_is_mask:
            seen = pixels[:, :, -1:] > full_range(self.dtype)[0]
            known = np.ones(pixels.shape, bool) if known is None else known
            known[:, :, :-1] &= seen
        return known

    @property
    def may_have_holes(self) -> bool:
        """Whether there may be pixels without data, or transparent ones."""
        floating = np.issubdtype(self.dtype, np.floating)
        return self.channels.alpha is not None or self.nodata is not None or floating


def full_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the smallest and largest value of an integer type; 0 and 1 for floating point."""
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return float(limits.min), float(limits.max)
    return 0.0, 1.0


def concatenate_rows(
    rows: Iterable[Pixels], shape: tuple[int, int, int], dtype: np.dtype[Any]
) -> Pixels:
    """Return bands of rows as one array of a shape (H, W, C), without a second copy of them all."""
    whole = np.empty(shape, dtype)
    top = 0
    for band in rows:
        whole[top : top + len(band)] = band
        top += len(band)
        del band  # a band of tiles would be in memory while the next one is computed
    return whole


def iter_rows(picture: Picture) -> Iterator[Pixels]:
    """Yield all rows of a picture from top to bottom, in bands of about a megapixel."""
    height = max(1, BAND_PIXELS // picture.width)
    for top in range(0, picture.height, height):
        yield picture.rows(top, min(top + height, picture.height))


def iter_boxes(picture: Picture) -> Iterator[Pixels]:
    """Yield all parts of a picture, of a megapixel at most, in any order."""
    if not isinstance(picture.rows, BoxReader):
        yield from iter_rows(picture)
        return
    for top in range(0, picture.height, _BOX_SIDE):
        for left in range(0, picture.width, _BOX_SIDE):
            bottom, right = top + _BOX_SIDE, left + _BOX_SIDE
            box = Box(top, min(bottom, picture.height), left, min(right, picture.width))
            yield picture.box(box)


def nearest_pixels(start: int, stop: int, new: int, old: int) -> NDArray[np.int64]:
    """Return which of ``old`` pixels contain the centres of the pixels start..stop of ``new``."""
    return ((2 * np.arange(start, stop) + 1) * old) // (2 * new)


def mean_light(pixels: Pixels) -> float | None:
    """Return the geometric mean of the positive values; None if there are none.

    It is the brightness to which photographers expose (Reinhard et al. 2002, Photographic Tone
    Reproduction for Digital Images, equation 1).
    """
    values = pixels[np.isfinite(pixels) & (pixels > 0)].astype(np.float64)
    return float(np.exp(np.log(values).mean())) if values.size else None


def from_array(pixels: Pixels, channels: Channels | None = None) -> Picture:
    """Return a picture of pixels (H, W, C) in memory."""
    return Picture(
        height=pixels.shape[0],
        width=pixels.shape[1],
        dtype=pixels.dtype,
        channels=channels or usual_channels(pixels.shape[2]),
        value_range=full_range(pixels.dtype),
        rows=lambda top, bottom: pixels[top:bottom],
    )
