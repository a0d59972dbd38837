"""Consistency: an upscaled picture gives its source back when it is shrunk.

Iterative back-projection (Irani & Peleg 1991, Improving Resolution by Image Registration, equation
3): what the shrunk picture lacks of the source is enlarged and added, again and again. Both ways
are MATLAB's bicubic, as in :mod:`drnsr.images.resize`.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from drnsr.images.picture import BAND_PIXELS, Picture, Pixels
from drnsr.images.pixel_file import iter_thin
from drnsr.images.resample import resize_rows
from drnsr.images.resize import downscale, upscale
from drnsr.inference.channels import valid_and_visible
from drnsr.inference.holes import restore_holes

Plane = NDArray[np.float64]
"""A channel, (H, W)."""

# The kernel reaches two LR pixels to either side: the upscaled rows of so many LR rows above a
# strip decide, with its own, about the LR rows that it touches.
_REACH = 2
_ABOVE = 2 * _REACH

# LR rows below a strip that are computed with it, and then again with the next one: their influence
# on the strip has ended.
_BELOW = 16

# By which a correction is multiplied: the slowest patterns then decay by a third in each iteration.
_STEP = 1.5
_ITERATIONS = 100

# No picture within the range of its type shrinks to black right beside white: the kernel would blur
# it. After so many iterations in which nothing else became right either, that is what is left.
_PATIENCE = 10

# The largest error in steps of an integer type, before rounding; that of a half would be lost.
_TOLERANCE = 0.02
_ROUNDED_TOLERANCE = 0.49
_FLOAT_TOLERANCE = 1e-6  # of the value range

# What a hole is replaced by, with which no pixel that must be consistent is computed.
_NOTHING = 0.0


class Projection:
    """Makes an upscaled picture consistent with its source.

    What no picture of the type's range shrinks to, such as black right beside white, becomes as
    close as the iteration brings it; :meth:`deviation` tells how close.

    Pixels without data, and colour under full transparency, are none that must be consistent, nor
    are those next to them, as far as the kernel reaches.

    Args:
        picture: the source.
        scale: how many times the upscaled picture is larger, a whole number.
    """

    def __init__(self, picture: Picture, scale: int) -> None:
        self._picture, self._scale = picture, scale
        self._is_integer = np.issubdtype(picture.dtype, np.integer)
        low, high = picture.value_range
        self._tolerance = _TOLERANCE if self._is_integer else _FLOAT_TOLERANCE * ((high - low) or 1)
        self._strip = max(_BELOW, BAND_PIXELS // (picture.width * scale**2))
        block = [(y, x) for y in range(scale) for x in range(scale)]
        middle = (scale - 1) / 2
        self._from_middle = sorted(block, key=lambda p: abs(p[0] - middle) + abs(p[1] - middle))

    def rows(self, bands: Iterable[Pixels]) -> Iterator[Pixels]:
        """Project rows; memory holds a strip of them.

        Args:
            bands: the upscaled picture from top to bottom, (n, scale*W, C) of its source's type.

        Yields:
            Bands (n, scale*W, C) of the same type.
        """
        scale, height = self._scale, self._picture.height
        width, count = self._picture.width * scale, self._picture.channels.count
        kept: Pixels = np.empty((0, width, count), self._picture.dtype)
        thin = iter_thin(bands, width)
        first = 0  # the LR row in which ``kept`` begins
        for top in range(0, height, self._strip):
            bottom = min(top + self._strip, height)
            end = min(bottom + _BELOW, height)
            while len(kept) < (end - first) * scale:
                kept = np.concatenate([kept, next(thin)])
            window = kept[: (end - first) * scale]
            # The rows below the strip are the next one's first guess.
            kept[(top - first) * scale :][: (end - top) * scale] = self._project(
                window, first, top, bottom
            )
            yield kept[(top - first) * scale : (bottom - first) * scale].copy()
            after = max(0, bottom - _ABOVE)
            kept, first = kept[(after - first) * scale :], after

    def deviation(self, bands: Iterable[Pixels]) -> float:
        """Shrink an upscaled picture exactly, and compare it with the source.

        Args:
            bands: as in :meth:`rows`.

        Returns:
            The largest difference of a value, clipped to its type and not rounded; less than 0.5 of
            an integer type gives the source back.
        """
        picture, scale = self._picture, self._scale
        size = picture.height, picture.width
        upscaled = (_without_holes(band.astype(np.float64)) for band in bands)
        shrunk = resize_rows(upscaled, (size[0] * scale, size[1] * scale), size)
        largest, top = 0.0, 0
        for band in shrunk:
            first, end = max(0, top - _REACH), min(size[0], top + len(band) + _REACH)
            part = picture.rows(first, end)
            if self._is_integer:
                band = band.clip(*self._limits)
            must = slice(top - first, top - first + len(band))
            for channel in range(part.shape[2]):
                counts = _within(self._known(part, channel), part.shape[:2])[must]
                if counts.any():
                    source = part[must, :, channel].astype(np.float64)
                    difference = np.abs(band[:, :, channel] - source)[counts]
                    largest = max(largest, float(difference.max()))
            top += len(band)
        return largest

    def _known(self, part: Pixels, channel: int) -> NDArray[np.bool_] | None:
        valid = valid_and_visible(self._picture, part)
        return None if valid is None else valid[:, :, channel]

    def _project(self, window: Pixels, first: int, top: int, bottom: int) -> Pixels:
        """Project the upscaled rows from the LR row ``top`` on.

        Args:
            window: (n, scale*W, C), from the LR row ``first`` on; what is above ``top`` is final.
            first: an LR row, as are the others.
            top: the first row.
            bottom: the row after the last one that is final then.

        Returns:
            The rows of the window from ``top`` on.
        """
        scale = self._scale
        end = first + len(window) // scale
        part = self._picture.rows(first, end)
        inner = slice((top - first) * scale, (bottom - first) * scale)
        projected = window[inner.start :].copy()
        for channel in range(part.shape[2]):
            counts = _within(self._known(part, channel), part.shape[:2])
            counts[: max(0, top - first - _REACH)] = False
            if end < self._picture.height:
                counts[-_REACH:] = False  # they depend on rows that are not here
            plane = _without_holes(window[:, :, channel].astype(np.float64))
            source = _without_holes(part[:, :, channel].astype(np.float64))
            plane = self._iterate(plane, source, counts, inner.start)
            if self._is_integer:
                if end < self._picture.height:
                    counts[bottom - first - _REACH :] = False  # the next strip decides about them
                plane = self._rounded(plane, source, counts, inner)
                plane = np.floor(plane + 0.5)
            projected[:, :, channel] = plane[inner.start :]
        rows, columns = (np.arange(n).repeat(scale) for n in (end - top, part.shape[1]))
        restore_holes(projected, self._picture, part[top - first :], rows, columns)
        return projected

    def _iterate(self, plane: Plane, source: Plane, counts: NDArray[np.bool_], start: int) -> Plane:
        """Change the rows from ``start`` on, until what is to be consistent is so."""
        plane = plane.copy()
        fewest, since = counts.size + 1, 0
        for _ in range(_ITERATIONS):
            error = self._error(plane, source, counts)
            wrong = int((np.abs(error) > self._tolerance).sum())
            fewest, since = (wrong, 0) if wrong < fewest else (fewest, since + 1)
            if not wrong or since == _PATIENCE:
                break
            plane[start:] += _STEP * upscale(error[:, :, None], self._scale)[start:, :, 0]
            if self._is_integer:
                plane[start:] = plane[start:].clip(*self._limits)
        return plane

    def _error(self, plane: Plane, source: Plane, counts: NDArray[np.bool_]) -> Plane:
        """Return what the shrunk plane lacks of the source where that counts, (h, w)."""
        shrunk = downscale(plane[:, :, None], self._scale)[:, :, 0]
        if self._is_integer:
            shrunk = shrunk.clip(*self._limits)
        return np.where(counts, source - shrunk, 0.0)

    @property
    def _limits(self) -> tuple[int, int]:
        limits = np.iinfo(self._picture.dtype)
        return limits.min, limits.max

    def _rounded(
        self, plane: Plane, source: Plane, counts: NDArray[np.bool_], inner: slice
    ) -> Plane:
        """Round the rows of a strip; where that loses the consistency, pixels change by a step."""
        low, high = self._limits
        plane[inner] = np.floor(plane[inner] + 0.5).clip(low, high)
        for y_in_block, x_in_block in self._from_middle * 2:
            error = self._error(plane, source, counts)
            ys, xs = np.nonzero(np.abs(error) > _ROUNDED_TOLERANCE)
            if not len(ys):
                break
            rows = (ys * self._scale + y_in_block).clip(inner.start, inner.stop - 1)
            columns = xs * self._scale + x_in_block
            changed = plane[rows, columns] + np.sign(error[ys, xs])
            plane[rows, columns] = changed.clip(low, high)
        return plane


def _without_holes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replace what no computation can take: NaN, infinity and the largest floats."""
    return np.where(np.abs(values) < np.finfo(np.float32).max / 2, values, _NOTHING)


def _within(known: NDArray[np.bool_] | None, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which LR pixels (h, w) are known with all that the kernel reaches around them."""
    if known is None:
        return np.ones(shape, bool)
    unknown = torch.from_numpy(~known)[None].float()
    side = 2 * _REACH + 1
    near: NDArray[np.bool_] = F.max_pool2d(unknown, side, stride=1, padding=_REACH)[0].numpy() == 0
    return near
