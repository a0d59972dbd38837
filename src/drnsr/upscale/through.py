"""Upscaling of volumes along their third axis, alone or with the others, by a network for pictures.

The network enlarges planes of which one direction is the third axis. Zhao et al. 2020, SMORE: A
Self-supervised Anti-aliasing and Super-resolution Algorithm for MRI Using Deep Learning, apply a
network that was trained within slices to such planes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from drnsr.errors import UserError
from drnsr.images.page import Page, UpscaledPage
from drnsr.images.picture import Picture, Pixels, concatenate_rows, from_array
from drnsr.images.resample import resize_rows
from drnsr.inference.holes import fill_holes, restore_holes
from drnsr.inference.tiling import Advance, Tiling
from drnsr.upscale.models import ModelAtScale

Plane = NDArray[Any]
"""A section of a volume, (H, W), of floating point."""


Axes = Literal["in-plane", "through-plane", "all"]
"""The axes along which volumes are upscaled: those of each slice, the third one, or all three."""

SUFFIXES: dict[Axes, str] = {"in-plane": "", "through-plane": "z", "all": "xyz"}
"""What the names of the results have after the scale."""


def upscale_through(
    pages: Sequence[Page], model: ModelAtScale, advance: Advance, folder: Path, axes: Axes
) -> list[UpscaledPage]:
    """Upscale volumes along the third axis; they are computed when they are read, in order.

    For all axes, the network first enlarges each slice, (Y, X) to (sY, sX). Shrunk again by
    MATLAB's exact bicubic along one axis, the slices form planes of z and x at each of sY places,
    and planes of z and y at each of sX places. These have the grid of the source in both
    directions, as the network expects. It enlarges them to (sZ, sX) and (sZ, sY), and the result is
    the mean of both.

    Along the third axis alone, the planes are those of the source, at Y and X places. What the
    network enlarges to (sZ, sX) is shrunk to (sZ, X), so that only z grows.

    Memory holds planes; the volumes between the steps are in temporary files, of 4 (2s + 2s³) or
    4 (2 + 2s) bytes for each voxel of the source, and twice as many for values of more than 32
    bits.

    Args:
        pages: the slices of one or more volumes; see :class:`drnsr.images.page.Metadata`.
        model: the model.
        advance: called with the number of source pixels that were upscaled since the last call.
        folder: for the temporary files.
        axes: all, or the third.

    Raises:
        UserError: the pages are not the slices of a volume, or it has a single one.
    """
    depth = pages[0].metadata.slices
    if depth < 2:
        raise UserError(f"no volume of several slices: leave out --axes {axes}")
    in_plane = model.scale if axes == "all" else 1
    upscaled = []
    for first in range(0, len(pages), depth):
        slices = pages[first : first + depth]
        results = _iter_slices(slices, model.tiling, advance, folder, axes)
        upscaled += [
            UpscaledPage(
                height=page.picture.height * in_plane,
                width=page.picture.width * in_plane,
                source=page,
                rows=_next_of(results),
            )
            for page in slices
            for _ in range(model.scale)
        ]
    return upscaled


def _next_of(results: Iterator[Pixels]) -> Iterator[Pixels]:
    yield next(results)


class _Stack:
    """Planes (a, b) in a file, one written after another and read across them.

    Args:
        file: an empty file.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._planes = 0

    def append(self, plane: Plane) -> None:
        """Write a plane; all have the same shape and type."""
        self._shape, self._dtype = plane.shape, plane.dtype
        self._planes += 1
        self._file.write(np.ascontiguousarray(plane).data)

    def across(self, place: int) -> Plane:
        """Return row number ``place`` of each plane, (planes, b)."""
        rows, columns = self._shape
        length = columns * self._dtype.itemsize
        result = bytearray()
        for plane in range(self._planes):
            self._file.seek((plane * rows + place) * length)
            result += self._file.read(length)
        return np.frombuffer(result, self._dtype).reshape(self._planes, columns)


def _iter_slices(
    slices: Sequence[Page], tiling: Tiling, advance: Advance, folder: Path, axes: Axes
) -> Iterator[Pixels]:
    """Upscale a volume, and yield the slices of the result, (H, W, 1)."""
    scale, picture = tiling.engine.scale, slices[0].picture
    height, width = picture.height, picture.width
    advance = _shared(advance, 1 + 2 * scale if axes == "all" else 2)
    with ExitStack() as kept:
        along_x, along_y, of_x, of_y = (
            _Stack(kept.enter_context(TemporaryFile(dir=folder))) for _ in range(4)
        )
        for page in slices:
            if axes == "all":
                pixels = tiling.upscale(_as_float(page.picture))
                advance(height * width)
            else:
                pixels = _filled(page.picture)
            along_x.append(_narrowed(pixels, width)[:, :, 0])
            along_y.append(_narrowed(pixels.transpose(1, 0, 2), height)[:, :, 0])
        for stack, result, places in (
            (along_x, of_x, pixels.shape[0]),
            (along_y, of_y, pixels.shape[1]),
        ):
            for place in range(places):
                plane = stack.across(place)[:, :, None]
                seen = replace(from_array(plane), value_range=picture.value_range)
                wide = tiling.upscale(seen)
                wide = wide if axes == "all" else _narrowed(wide, plane.shape[1])
                result.append(wide[:, :, 0])
                advance(plane.size)
        for number in range(len(slices) * scale):
            values = (of_x.across(number) + of_y.across(number).T) / 2
            yield _as_stored(values, slices[number // scale].picture)


def _as_float(picture: Picture) -> Picture:
    """Return a picture whose result is not rounded, and has no holes."""
    dtype = np.dtype(np.float64 if picture.dtype.itemsize > 4 else np.float32)
    if picture.dtype.kind in "iu" and picture.dtype.itemsize > 2:
        dtype = np.dtype(np.float64)
    return replace(
        picture,
        dtype=dtype,
        rows=lambda top, bottom: picture.rows(top, bottom).astype(dtype),
        keeps_holes=False,
    )


def _filled(picture: Picture) -> Pixels:
    """Return the pixels of a picture, (H, W, 1) of floating point, with its holes filled."""
    seen = _as_float(picture)
    pixels = seen.rows(0, seen.height)
    known = picture.known(pixels)
    return pixels if known is None or known.all() else fill_holes(pixels, known)


def _narrowed(pixels: Pixels, width: int) -> Pixels:
    """Shrink the rows of pixels (H, W, 1)."""
    if pixels.shape[1] == width:
        return pixels
    height = len(pixels)
    bands = resize_rows([pixels], (height, pixels.shape[1]), (height, width))
    return concatenate_rows(bands, (height, width, 1), pixels.dtype)


def _as_stored(values: Plane, picture: Picture) -> Pixels:
    """Return a slice (H, W) as (H, W, 1) of the type of its source, with the source's holes."""
    if picture.dtype.kind in "iu":
        limits = np.iinfo(picture.dtype)
        values = values.round().clip(limits.min, limits.max)
    pixels: Pixels = values.astype(picture.dtype)[:, :, None]
    rows, columns = (
        np.arange(new) * old // new
        for new, old in zip(values.shape, (picture.height, picture.width), strict=True)
    )
    restore_holes(pixels, picture, picture.rows(0, picture.height), rows, columns)
    return pixels


def _shared(advance: Advance, parts: int) -> Callable[[int], None]:
    """Return a function that reports one of so many parts of the pixels that it is told."""
    left = 0

    def report(pixels: int) -> None:
        nonlocal left
        done, left = divmod(left + pixels, parts)
        advance(done)

    return report
