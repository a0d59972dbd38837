"""MATLAB's ``imresize`` to any size, on a picture that is read in bands of rows.

:mod:`drnsr.images.resize` resizes a picture in memory by a whole number. Here the size is arbitrary
and only the rows under the kernel are kept in memory. As there, the vertical pass comes first, the
border is replicated, and integers are rounded after each pass.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drnsr.images.picture import Box, Pixels
from drnsr.images.resize import cubic_kernel

_KERNEL_WIDTH = 4  # pixels, of the cubic kernel that is not stretched


def resize_rows(
    bands: Iterable[Pixels], size: tuple[int, int], new_size: tuple[int, int]
) -> Iterator[Pixels]:
    """Resize a picture that comes in bands of rows.

    Args:
        bands: bands (n, W, C) from top to bottom.
        size: (height, width) of the picture.
        new_size: (height, width) of the result.

    Yields:
        Bands of the result, of the same data type; floating-point values are neither rounded nor
        clipped.
    """
    vertical = _taps(size[0], new_size[0])
    horizontal = _taps(size[1], new_size[1])
    kept: Pixels | None = None
    first = done = 0  # the index of the first row in ``kept``, and of the next row of the result
    for band in bands:
        kept = band if kept is None else np.concatenate([kept, band])
        del band  # it would be in memory while the next one is computed
        ready = int(np.searchsorted(vertical.last, first + len(kept), side="left"))
        if ready > done:
            yield _resize_columns(_resize_band(kept, first, vertical, done, ready), horizontal)
            done = ready
        if done < new_size[0]:
            unused = int(vertical.indices[done:].min()) - first
            kept, first = kept[unused:].copy(), first + unused


def source_span(old: int, new: int, start: int, stop: int) -> tuple[int, int]:
    """Return the range of source pixels that the pixels from ``start`` to ``stop`` depend on.

    Args:
        old: the length of a line of the source.
        new: its length in the result.
        start: the first pixel of the result.
        stop: the first pixel after the last one.

    Returns:
        The first source pixel, and the first one after the last.
    """
    indices = _taps(old, new).indices[start:stop]
    return int(indices.min()), int(indices.max()) + 1


def resize_part(
    part: Pixels, at: tuple[int, int], size: tuple[int, int], new_size: tuple[int, int], box: Box
) -> Pixels:
    """Compute a part of what :func:`resize_rows` returns.

    Args:
        part: (n, m, C), the rows and columns that :func:`source_span` returns for the box.
        at: row and column of the first of these pixels in the picture.
        size: (height, width) of the picture.
        new_size: (height, width) of the whole result.
        box: the part of the result to compute.

    Returns:
        (box.height, box.width, C) of the same data type.
    """
    columns = slice(box.left, box.right)
    taps = _taps(size[1], new_size[1])
    horizontal = _Taps(taps.indices[columns] - at[1], taps.weights[columns], taps.last[columns])
    band = _resize_band(part, at[0], _taps(size[0], new_size[0]), box.top, box.bottom)
    return _resize_columns(band, horizontal)


def resize_matrix(old: int, new: int) -> NDArray[np.float64]:
    """Return the matrix (new, old) that resizes a line, without rounding."""
    taps = _taps(old, new)
    matrix = np.zeros((new, old))
    np.add.at(matrix, (np.arange(new)[:, None], taps.indices), taps.weights)
    return matrix


@dataclass(frozen=True)
class _Taps:
    """The taps of the filter for each new pixel of a line.

    Attributes:
        indices: (new, k), the old pixels.
        weights: (new, k), their weights, which add up to one.
        last: (new,), the last old pixel that this new pixel and those before it depend on.
    """

    indices: NDArray[np.int64]
    weights: NDArray[np.float64]
    last: NDArray[np.int64]


def _taps(old: int, new: int) -> _Taps:
    """Compute the taps of the cubic kernel with a = -0.5, which is stretched when shrinking."""
    scale = new / old
    stretch = min(scale, 1.0)
    support = _KERNEL_WIDTH / stretch
    centres = (np.arange(new) + 0.5) / scale - 0.5
    left = np.floor(centres - support / 2).astype(np.int64)
    indices = left[:, None] + np.arange(int(np.ceil(support)) + 2)
    weights = cubic_kernel((centres[:, None] - indices) * stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    inside = indices.clip(0, old - 1)
    return _Taps(inside, weights, np.maximum.accumulate(inside.max(axis=1)))


def _resize_band(kept: Pixels, first: int, taps: _Taps, start: int, stop: int) -> Pixels:
    """Compute the rows ``start`` to ``stop`` of the vertical pass from the rows in memory."""
    resized = np.zeros((stop - start, *kept.shape[1:]))
    for k in range(taps.indices.shape[1]):
        weights = taps.weights[start:stop, k, None, None]
        resized += weights * kept[taps.indices[start:stop, k] - first]
    return _round(resized, kept.dtype)


def _resize_columns(band: Pixels, taps: _Taps) -> Pixels:
    resized = np.zeros((band.shape[0], len(taps.indices), band.shape[2]))
    for k in range(taps.indices.shape[1]):
        resized += taps.weights[None, :, k, None] * band[:, taps.indices[:, k]]
    return _round(resized, band.dtype)


def _round(pixels: NDArray[np.float64], dtype: np.dtype[Any]) -> Pixels:
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        # MATLAB rounds halves up.
        pixels = np.clip(np.floor(pixels + 0.5), limits.min, limits.max)
    return pixels.astype(dtype)
