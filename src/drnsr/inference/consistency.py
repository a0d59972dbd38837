"""Consistency: an upscaled picture gives its source back when it is shrunk.

MATLAB's bicubic shrinks rows and columns by a matrix D each (:mod:`drnsr.images.resample`): the
picture X becomes D X Dᵀ. The picture nearest to X that shrinks to the source Y is X + P E Pᵀ with
E = Y - D X Dᵀ and the pseudo-inverse P = Dᵀ (D Dᵀ)⁻¹: the orthogonal projection onto all pictures
that shrink to Y. Before Y was rounded, the sharp picture that it was made from was one of them, and
so no pixel error can grow in the mean.

Values are then clipped to their type. What this changes is mended by the projected gradient of
|E|², X + s² Dᵀ E D clipped again and again (iterative back-projection, Irani & Peleg 1991, with the
transpose of D), with the momentum of Beck & Teboulle 2009, A Fast Iterative Shrinkage-Thresholding
Algorithm. Where no picture in range shrinks to Y, that leads to the least squares.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from drnsr.images.picture import BAND_PIXELS, Box, Picture, Pixels
from drnsr.images.pixel_file import iter_thin
from drnsr.images.resample import resize_matrix
from drnsr.inference.channels import valid_and_visible
from drnsr.inference.holes import restore_holes

# The kernel reaches two LR pixels to either side.
_REACH = 2

# The picture is projected in blocks of LR pixels, each with a margin. What an error changes becomes
# less by two thirds and more with each LR pixel: beyond the margin it is below any tolerance, so
# that the result is that of the whole picture.
_BLOCK = 64
_MARGIN = 16

# No picture within the range of its type shrinks to black right beside white: the kernel would blur
# it. After so many steps the rest is left.
_ITERATIONS = 40

# The largest error in steps of an integer type, before rounding and after it; that of a half would
# be lost.
_TOLERANCE = 0.2
_ROUNDED_TOLERANCE = 0.49
_FLOAT_TOLERANCE = 1e-6  # of the value range

# What a hole is replaced by, with which no pixel that must be consistent is computed.
_NOTHING = 0.0


@dataclass(frozen=True)
class _Window:
    """A block with its margin.

    Attributes:
        seen: the block and its margin, in LR pixels.
        block: the block.
        upscaled: (scale*h, scale*w, C), the upscaled pixels of ``seen``.
        source: (h, w, C), the LR pixels of it.
    """

    seen: Box
    block: Box
    upscaled: Pixels
    source: Pixels

    def inner(self, scale: int = 1) -> tuple[slice, slice]:
        """Return the place of the block in ``source``, or in ``upscaled`` for its scale."""
        seen, block = self.seen, self.block
        return (
            slice((block.top - seen.top) * scale, (block.bottom - seen.top) * scale),
            slice((block.left - seen.left) * scale, (block.right - seen.left) * scale),
        )


class Projection:
    """Makes an upscaled picture consistent with its source.

    What no picture of the type's range shrinks to, such as black right beside white, becomes as
    close as some steps bring it; :meth:`deviation` tells how close.

    Pixels without data, and colour under full transparency, are none that must be consistent, nor
    are those next to them, as far as the kernel reaches; nor is a mask.

    Args:
        picture: the source.
        scale: how many times the upscaled picture is larger, a whole number.
    """

    def __init__(self, picture: Picture, scale: int) -> None:
        self._picture, self._scale = picture, scale
        self._is_integer = np.issubdtype(picture.dtype, np.integer)
        low, high = map(np.asarray, picture.value_range)
        span = float((high - low).min()) or 1
        self._tolerance = _TOLERANCE if self._is_integer else _FLOAT_TOLERANCE * span
        # The precision of float32 is far below a step of 8 bits.
        self._kind = torch.float32 if picture.dtype.itemsize == 1 else torch.float64
        # A strip of a very wide picture is lower, as its rows are held in memory.
        self._strip = min(_BLOCK, max(_MARGIN, 16 * BAND_PIXELS // (picture.width * scale**2)))
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
        scale, picture = self._scale, self._picture
        for strip in self._strips(bands):
            rows = strip[0].block.height * scale
            band = np.empty((rows, picture.width * scale, picture.channels.count), picture.dtype)
            for window in strip:
                columns = slice(window.block.left * scale, window.block.right * scale)
                with _one_thread():
                    band[:, columns] = self._project(window)[window.inner(scale)]
            yield band

    def deviation(self, bands: Iterable[Pixels]) -> float:
        """Shrink an upscaled picture exactly, and compare it with the source.

        Args:
            bands: as in :meth:`rows`.

        Returns:
            The largest difference of a value, clipped to its type and not rounded; less than 0.5 of
            an integer type gives the source back.
        """
        largest = 0.0
        for strip in self._strips(bands):
            for window in strip:
                with _one_thread():
                    planes, source, counts = self._planes(window, torch.float64)
                    error = self._error(planes, source, counts)[:, *window.inner()]
                largest = max(largest, float(error.abs().max())) if error.numel() else largest
        return largest

    def _strips(self, bands: Iterable[Pixels]) -> Iterator[list[_Window]]:
        """Yield the blocks of a strip with their margins, strip by strip."""
        scale, picture = self._scale, self._picture
        width, height = picture.width, picture.height
        kept: Pixels = np.empty((0, width * scale, picture.channels.count), picture.dtype)
        thin = iter_thin(bands, width * scale)
        first = 0  # the LR row in which ``kept`` begins
        for top in range(0, height, self._strip):
            bottom = min(top + self._strip, height)
            start, end = max(0, top - _MARGIN), min(bottom + _MARGIN, height)
            kept, first = kept[(start - first) * scale :], start
            missing = (end - first) * scale - len(kept)
            parts = [kept]
            while missing > 0:
                parts.append(next(thin))
                missing -= len(parts[-1])
            kept = np.concatenate(parts)
            source = picture.rows(start, end)
            strip = []
            for left in range(0, width, _BLOCK):
                right = min(left + _BLOCK, width)
                seen = Box(start, end, max(0, left - _MARGIN), min(right + _MARGIN, width))
                rows, columns = slice(seen.height * scale), slice(seen.left, seen.right)
                upscaled = kept[rows, seen.left * scale : seen.right * scale]
                block = Box(top, bottom, left, right)
                strip.append(_Window(seen, block, upscaled, source[:, columns]))
            yield strip

    def _project(self, window: _Window) -> Pixels:
        """Return the upscaled pixels of a window, consistent with its source."""
        scale = self._scale
        planes, source, counts = self._planes(window, self._kind)
        planes = self._nearest(planes, source, counts)
        if self._is_integer:
            planes = self._rounded(planes, source, counts)
        projected = window.upscaled.copy()
        for channel, number in enumerate(self._projected):
            projected[:, :, number] = planes[channel].numpy().astype(projected.dtype)
        rows_of, columns_of = (np.arange(n).repeat(scale) for n in window.source.shape[:2])
        restore_holes(projected, self._picture, window.source, rows_of, columns_of)
        return projected

    def _nearest(self, planes: Tensor, source: Tensor, counts: Tensor) -> Tensor:
        """Project planes, (C, scale*h, scale*w), and bring them back into the type's range."""
        sizes, scale = source.shape[1:], self._scale
        rows, columns = (_spread(n, scale, self._kind) for n in sizes)
        ahead = planes
        for number in range(_ITERATIONS):
            error = self._error(ahead, source, counts)
            if not (error.abs() > self._tolerance).any():
                break
            nearer = ahead + rows @ error @ columns.T
            if self._is_integer:
                nearer = nearer.clamp(*self._limits)
            # What is left after the first step is left by clipping.
            ahead = nearer + max(0, number - 1) / (number + 2) * (nearer - planes)
            planes = nearer
            rows, columns = (scale * _shrink(n, scale, self._kind).T for n in sizes)
        return planes

    @property
    def _projected(self) -> list[int]:
        """The channels that are projected: all but a mask."""
        channels = self._picture.channels
        return list(range(channels.count - channels.alpha_is_mask))

    def _planes(self, window: _Window, kind: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """Return the upscaled channels, those of the source, and where these count, (C, h, w)."""
        picture, channels = self._picture, self._projected
        valid = valid_and_visible(picture, window.source)
        shape = len(channels), *window.source.shape[:2]
        counts = torch.ones(shape, dtype=torch.bool)
        if valid is not None:
            counts = _within(torch.from_numpy(valid[:, :, channels]).permute(2, 0, 1))
        # At an edge that is not the picture's, the pixels depend on others that are not here.
        seen = window.seen
        counts[:, : _REACH * (seen.top > 0)] = False
        counts[:, seen.height - _REACH * (seen.bottom < picture.height) :] = False
        counts[:, :, : _REACH * (seen.left > 0)] = False
        counts[:, :, seen.width - _REACH * (seen.right < picture.width) :] = False
        upscaled, source = (
            torch.from_numpy(_without_holes(pixels[:, :, channels].astype(np.float64)))
            .permute(2, 0, 1)
            .to(kind)
            for pixels in (window.upscaled, window.source)
        )
        return upscaled, source, counts

    def _error(self, planes: Tensor, source: Tensor, counts: Tensor) -> Tensor:
        """Return what the shrunk planes lack of the source where that counts, (C, h, w)."""
        rows, columns = (_shrink(n, self._scale, planes.dtype) for n in source.shape[1:])
        shrunk = rows @ planes @ columns.T
        if self._is_integer:
            shrunk = shrunk.clamp(*self._limits)
        return torch.where(counts, source - shrunk, 0.0)

    @property
    def _limits(self) -> tuple[int, int]:
        limits = np.iinfo(self._picture.dtype)
        return limits.min, limits.max

    def _rounded(self, planes: Tensor, source: Tensor, counts: Tensor) -> Tensor:
        """Round; where that alone loses the consistency, pixels change by a step."""
        scale = self._scale
        planes = (planes + 0.5).floor().clamp(*self._limits)
        for y_in_block, x_in_block in self._from_middle * 2:
            error = self._error(planes, source, counts)
            wrong = torch.nonzero(error.abs() > _ROUNDED_TOLERANCE, as_tuple=True)
            if not len(wrong[0]):
                break
            channel, ys, xs = wrong
            place = channel, ys * scale + y_in_block, xs * scale + x_in_block
            planes[place] = (planes[place] + error[wrong].sign()).clamp(*self._limits)
        return planes


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute the block without torch's other threads.

    They gain little on matrices of this size, and beside another program they wait for each other
    for three times as long.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=16)
def _shrink(size: int, scale: int, kind: torch.dtype) -> Tensor:
    """Return D for a line of so many LR pixels, (size, scale*size)."""
    return torch.from_numpy(resize_matrix(size * scale, size)).to(kind)


@lru_cache(maxsize=16)
def _spread(size: int, scale: int, kind: torch.dtype) -> Tensor:
    """Return P, the pseudo-inverse of D, (scale*size, size)."""
    shrink = _shrink(size, scale, torch.float64)
    spread: Tensor = torch.linalg.solve(shrink @ shrink.T, shrink)
    return spread.T.to(kind)


def _without_holes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replace what no computation can take: NaN, infinity and the largest floats."""
    return np.where(np.abs(values) < np.finfo(np.float32).max / 2, values, _NOTHING)


def _within(known: Tensor) -> Tensor:
    """Return which LR pixels (C, h, w) are known with all that the kernel reaches around them."""
    side = 2 * _REACH + 1
    unknown = (~known).float()
    return F.max_pool2d(unknown, side, stride=1, padding=_REACH) == 0
