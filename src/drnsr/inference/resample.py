"""MATLAB's ``imresize`` to any size, on rows as they come.

:mod:`drnsr.images.resize` does it by whole numbers and for a picture in memory; here the sizes are
any, and no more rows are kept than the kernel spans. As there, the vertical pass comes first, the
border is replicated, and whole numbers are rounded after each pass.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drnsr.images.picture import Box, Pixels

_SUPPORT = 4  # pixels that the cubic kernel spans


def resampled(
    rows: Iterable[Pixels], size: tuple[int, int], wanted: tuple[int, int]
) -> Iterator[Pixels]:
    """Resize a picture that comes in bands of rows.

    Args:
        rows: bands (n, W, C) from top to bottom.
        size: (height, width) of the picture.
        wanted: (height, width) of the result.

    Yields:
        Bands of the result, of the same type; floating point is neither rounded nor clipped.
    """
    vertical = _taps(size[0], wanted[0])
    horizontal = _taps(size[1], wanted[1])
    kept: Pixels | None = None
    first = done = 0  # the number of the first kept row, and of the next row to make
    for band in rows:
        kept = band if kept is None else np.concatenate([kept, band])
        ready = int(np.searchsorted(vertical.last, first + len(kept), side="left"))
        if ready > done:
            yield _across(_down(kept, first, vertical, done, ready), horizontal)
            done = ready
        if done < wanted[0]:
            passed = int(vertical.numbers[done:].min()) - first
            kept, first = kept[passed:], first + passed


def span(old: int, new: int, start: int, stop: int) -> tuple[int, int]:
    """Which pixels of a line of ``old`` those from ``start`` to ``stop`` of ``new`` are made of."""
    numbers = _taps(old, new).numbers[start:stop]
    return int(numbers.min()), int(numbers.max()) + 1


def resampled_part(
    part: Pixels, at: tuple[int, int], size: tuple[int, int], wanted: tuple[int, int], box: Box
) -> Pixels:
    """A part of what :func:`resampled` gives, from as few pixels as it is made of.

    Args:
        part: (n, m, C), all that :func:`span` tells of the rows and columns of the box.
        at: row and column of the first of these pixels in the picture.
        size: (height, width) of the picture.
        wanted: (height, width) of the whole result.
        box: the part of it that is made.

    Returns:
        (box.height, box.width, C) of the same type.
    """
    columns = slice(box.left, box.right)
    taps = _taps(size[1], wanted[1])
    across = _Taps(taps.numbers[columns] - at[1], taps.weights[columns], taps.last[columns])
    return _across(_down(part, at[0], _taps(size[0], wanted[0]), box.top, box.bottom), across)


@dataclass(frozen=True)
class _Taps:
    """What each new pixel of a line is made from.

    Attributes:
        numbers: (new, k) of the old pixels.
        weights: (new, k) of those pixels, adding up to one.
        last: (new,) the last old pixel that this new one and those before it need.
    """

    numbers: NDArray[np.int64]
    weights: NDArray[np.float64]
    last: NDArray[np.int64]


def _taps(old: int, new: int) -> _Taps:
    """The cubic kernel with a = -0.5, stretched when shrinking."""
    scale = new / old
    stretch = min(scale, 1.0)
    support = _SUPPORT / stretch
    centres = (np.arange(new) + 0.5) / scale - 0.5
    left = np.floor(centres - support / 2).astype(np.int64)
    numbers = left[:, None] + np.arange(int(np.ceil(support)) + 2)
    weights = _cubic((centres[:, None] - numbers) * stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    inside = numbers.clip(0, old - 1)
    return _Taps(inside, weights, np.maximum.accumulate(inside.max(axis=1)))


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    distance = np.abs(x)
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return np.where(distance <= 1, near, np.where(distance <= 2, far, 0.0))


def _down(kept: Pixels, first: int, taps: _Taps, start: int, stop: int) -> Pixels:
    """Rows ``start`` to ``stop`` of the vertical pass, from the rows that are kept."""
    made = np.zeros((stop - start, *kept.shape[1:]))
    for k in range(taps.numbers.shape[1]):
        weights = taps.weights[start:stop, k, None, None]
        made += weights * kept[taps.numbers[start:stop, k] - first]
    return _stored(made, kept.dtype)


def _across(band: Pixels, taps: _Taps) -> Pixels:
    made = np.zeros((band.shape[0], len(taps.numbers), band.shape[2]))
    for k in range(taps.numbers.shape[1]):
        made += taps.weights[None, :, k, None] * band[:, taps.numbers[:, k]]
    return _stored(made, band.dtype)


def _stored(pixels: NDArray[np.float64], dtype: np.dtype[Any]) -> Pixels:
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        # MATLAB rounds halves up.
        pixels = np.clip(np.floor(pixels + 0.5), limits.min, limits.max)
    return pixels.astype(dtype)
