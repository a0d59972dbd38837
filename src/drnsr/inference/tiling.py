"""Tiled upscaling: the memory use depends on the size of a tile, not of the picture."""

import logging
import math
import mmap
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, Literal

import numpy as np

from drnsr.errors import UserError
from drnsr.images.picture import BAND_PIXELS, Box, Picture, Pixels, concatenate_rows
from drnsr.inference.channels import submit_function, upscale_part
from drnsr.inference.engine import Engine, TorchEngine
from drnsr.inference.holes import FILL_RADIUS

log = logging.getLogger("drnsr")

TileSize = int | Literal["auto", "off"]
"""Side of a tile in LR pixels, without the halo around it."""

# The halo of 17 pixels around a tile of 640 adds 11 % to the computation; the shipped models need
# 0.4 GB for it.
AUTO_TILE = 640

AUTO_TILE_GPU = 1280
"""The automatic tile size on a GPU, and the root of the number of pixels in a batch of tiles."""

# On a GPU a tile may be larger than its size, if the picture then needs fewer tiles and halos.
_GPU_TOLERANCE = 1.25

MIN_TILE = 16

_HELD_BAND = 256 << 20
"""The bytes of a band of tiles that is held in memory; larger ones wait in a temporary file."""

# With an infinite receptive field no halo makes tiles exact. With this one the seams of RCAN are
# invisible in 8 bits.
_GLOBAL_HALO = 64

Advance = Callable[[int], None]
"""Called with the number of LR pixels that were upscaled since the last call."""


class TileMemoryError(UserError):
    """There is not enough memory even for small tiles."""


class Tiling:
    """Upscales pictures tile by tile.

    The network sees each tile with a halo as wide as its receptive field, so that the result equals
    that of the whole picture. If there is not enough memory for a tile, the tile size is halved for
    this tile and all later ones.

    Args:
        engine: runs the network.
        tile: the side of a tile in LR pixels; "auto" for a size that suits the shipped models,
            "off" for the whole picture at once.
        ensemble: see :func:`drnsr.inference.channels.upscale_part`.

    Raises:
        ValueError: ``tile`` is a number below :data:`MIN_TILE`.
    """

    def __init__(self, engine: Engine, *, tile: TileSize = "auto", ensemble: bool = False) -> None:
        if isinstance(tile, int) and tile < MIN_TILE:
            raise ValueError(f"a tile of {tile} pixels is too small; {MIN_TILE} is the smallest")
        self.engine = engine
        self._ensemble = ensemble
        self._has_warned = engine.descriptor.tiling_exact
        on_gpu = isinstance(engine, TorchEngine) and engine.is_asynchronous
        auto = AUTO_TILE_GPU if on_gpu else AUTO_TILE
        self._side: float = {"auto": auto, "off": float("inf")}.get(tile, tile)  # type: ignore[arg-type]
        self._is_auto_on_cpu = tile == "auto" and not on_gpu
        self._tolerance = _GPU_TOLERANCE if on_gpu else 1.0
        self._batch_pixels = AUTO_TILE_GPU**2

    @contextmanager
    def limited_to(self, side: int) -> Iterator[None]:
        """Take smaller tiles here on a CPU if the user chose no size: others need the memory."""
        before = self._side
        if self._is_auto_on_cpu:
            self._side = min(self._side, side)
        try:
            yield
        finally:
            self._side = before

    @property
    def side(self) -> float:
        """The current side of a tile in LR pixels, infinite for the whole picture at once."""
        return self._side

    def iter_rows(self, picture: Picture, advance: Advance = lambda _: None) -> Iterator[Pixels]:
        """Upscale a picture from top to bottom.

        Args:
            picture: the picture to upscale.
            advance: see :data:`Advance`.

        Yields:
            Bands of rows (n, scale*W, C) of the picture's data type.

        Raises:
            TileMemoryError: there is not enough memory for the smallest tile.
        """
        if not self._has_warned and self._is_tiled(picture):
            self._has_warned = True
            log.info(
                "this network looks at the whole picture at once: in tiles the result is close to"
                " that, and not the same (--tile off)"
            )
        top = 0
        while top < picture.height:
            # The tile size may have been halved in the last band.
            bottom = top + self._step(picture.height - top)
            yield from self._band(picture, top, bottom, advance)
            top = bottom

    def upscale(self, picture: Picture) -> Pixels:
        """Upscale a picture into one array (scale*H, scale*W, C); see :meth:`iter_rows`."""
        scale = self.engine.scale
        shape = (picture.height * scale, picture.width * scale, picture.channels.count)
        is_held = math.prod(shape) * picture.dtype.itemsize <= _HELD_BAND
        if is_held and self._step(picture.height) >= picture.height:
            (pixels,) = self.iter_rows(picture)
            return pixels
        return concatenate_rows(self.iter_rows(picture), shape, picture.dtype)

    def upscale_box(self, picture: Picture, box: Box) -> Pixels:
        """Upscale a part of a picture, with the same result as in the whole picture.

        Args:
            picture: the picture.
            box: a box within it, in LR pixels.

        Returns:
            (scale*box.height, scale*box.width, C) of the picture's data type.

        Raises:
            TileMemoryError: there is not enough memory for the smallest tile.
        """
        multiple, scale = self._multiple, self.engine.scale
        top, left = box.top // multiple * multiple, box.left // multiple * multiple
        bottom, right = (-(-side // multiple) * multiple for side in (box.bottom, box.right))
        upscaled = self._tile(picture, Box(top, bottom, left, right))
        return upscaled[
            (box.top - top) * scale : (box.bottom - top) * scale,
            (box.left - left) * scale : (box.right - left) * scale,
        ]

    def _band(self, picture: Picture, top: int, bottom: int, advance: Advance) -> Iterator[Pixels]:
        """Upscale a row of tiles; it is one band, or several thin ones of a very wide picture."""
        scale = self.engine.scale
        height = min(bottom, picture.height) - top
        lefts = range(0, picture.width, self._step(picture.width))
        boxes = [Box(top, bottom, left, left + lefts.step) for left in lefts]
        tiles = self._tiles(picture, boxes, advance)
        shape = (height * scale, picture.width * scale, picture.channels.count)
        if len(boxes) == 1:
            yield np.ascontiguousarray(next(tiles))  # without a copy
        elif math.prod(shape) * picture.dtype.itemsize > _HELD_BAND:
            yield from _side_by_side(tiles, shape, picture.dtype)
        else:
            band = _mapped(shape, picture.dtype)
            for box, tile in zip(boxes, tiles, strict=True):
                band[:, box.left * scale : box.right * scale] = tile
            del tile
            yield band

    def _tiles(self, picture: Picture, boxes: list[Box], advance: Advance) -> Iterator[Pixels]:
        """Yield the tiles of a band from left to right."""
        batches = self._batches(picture, boxes)
        # An asynchronous device computes the next batch while this one is copied into the band.
        submitted = self._submit(picture, batches[0])
        for batch, next_batch in zip_longest(batches, batches[1:]):
            wait = submitted
            if next_batch is not None:
                submitted = self._submit(picture, next_batch)
            for box, tile in zip(batch, wait(), strict=True):
                bottom, right = min(box.bottom, picture.height), min(box.right, picture.width)
                advance((bottom - box.top) * (right - box.left))
                yield tile

    def _batches(self, picture: Picture, boxes: list[Box]) -> list[list[Box]]:
        """Group neighbouring tiles of equal size for an asynchronous device; others are alone."""
        if submit_function(self.engine, picture, self._ensemble) is None:
            return [[box] for box in boxes]
        batches: list[list[Box]] = []
        last_shape = (0, 0)
        for box in boxes:
            seen = self._add_halo(picture, box)
            shape = seen.height, seen.width
            fits = batches and (len(batches[-1]) + 1) * shape[0] * shape[1] <= self._batch_pixels
            if fits and shape == last_shape:
                batches[-1].append(box)
            else:
                batches.append([box])
            last_shape = shape
        return batches

    def _submit(self, picture: Picture, boxes: list[Box]) -> Callable[[], Iterable[Pixels]]:
        """Start to upscale boxes if the device is asynchronous; return what gives their pixels."""
        submit = submit_function(self.engine, picture, self._ensemble)
        if submit is not None and all(map(self._fits_tile, boxes)):
            parts, places = zip(*(self._with_halo(picture, box) for box in boxes), strict=True)
            try:
                wait = submit(np.stack(parts))
            except MemoryError:  # _tile tries each box again, and halves the tile if it fails again
                if len(boxes) > 1:
                    self._batch_pixels //= 2
            else:
                return lambda: [tile[place] for tile, place in zip(wait(), places, strict=True)]
        return lambda: (self._tile(picture, box) for box in boxes)

    def _step(self, length: int) -> int:
        """Divide a length into equal tiles; return their side, a multiple of the network's."""
        multiple = self._multiple
        tiles = max(1, int(-(-length // (self._side * self._tolerance))))
        return -(-length // tiles // multiple) * multiple

    def _tile(self, picture: Picture, box: Box) -> Pixels:
        """Upscale a box, without what lies beyond the picture."""
        if not self._fits_tile(box):
            return self._quarters(picture, box)
        try:
            part, place = self._with_halo(picture, box)
            return upscale_part(self.engine, picture, part, self._ensemble)[place]
        except MemoryError as error:
            side = min(self._side, box.side) / 2
            if side < MIN_TILE:
                raise TileMemoryError(
                    f"not enough memory for a tile of {box.side} pixels: take a smaller model, or"
                    " close other programs"
                ) from error
            self._side = side
        return self._quarters(picture, box)

    def _quarters(self, picture: Picture, box: Box) -> Pixels:
        multiple = self._multiple
        row = box.top + -(-(box.bottom - box.top) // 2 // multiple) * multiple
        column = box.left + -(-(box.right - box.left) // 2 // multiple) * multiple
        halves = []
        for top, bottom in ((box.top, row), (row, box.bottom)):
            if top < min(bottom, picture.height):
                parts = [
                    self._tile(picture, Box(top, bottom, left, right))
                    for left, right in ((box.left, column), (column, box.right))
                    if left < min(right, picture.width)
                ]
                halves.append(np.concatenate(parts, axis=1))
        return np.concatenate(halves, axis=0)

    def _with_halo(self, picture: Picture, box: Box) -> tuple[Pixels, tuple[slice, slice]]:
        """Return the pixels of a box and its halo, and the place of the box in them, upscaled."""
        scale = self.engine.scale
        seen = self._add_halo(picture, box)
        part = _read_padded(picture, seen)
        bottom, right = min(box.bottom, picture.height), min(box.right, picture.width)
        rows = slice((box.top - seen.top) * scale, (bottom - seen.top) * scale)
        return part, (rows, slice((box.left - seen.left) * scale, (right - seen.left) * scale))

    def _add_halo(self, picture: Picture, box: Box) -> Box:
        """Return a box with its halo; it may extend beyond the picture up to the next multiple."""
        halo = self._halo(picture)
        return Box(
            max(0, box.top - halo),
            min(box.bottom + halo, picture.height + -picture.height % self._multiple),
            max(0, box.left - halo),
            min(box.right + halo, picture.width + -picture.width % self._multiple),
        )

    @property
    def _multiple(self) -> int:
        return self.engine.descriptor.size_multiple

    def _fits_tile(self, box: Box) -> bool:
        return box.side <= max(self._side, MIN_TILE) * self._tolerance + self._multiple

    def _is_tiled(self, picture: Picture) -> bool:
        return max(picture.height, picture.width) > self._side

    def _halo(self, picture: Picture) -> int:
        receptive_field = self.engine.descriptor.receptive_field
        halo = _GLOBAL_HALO if receptive_field == "global" else receptive_field
        if picture.may_have_holes:
            halo += FILL_RADIUS
        return -(-halo // self._multiple) * self._multiple


def _mapped(shape: tuple[int, int, int], dtype: np.dtype[Any]) -> Pixels:
    """Return an array of zeros outside the allocator's heap.

    A band lives as long as many tiles. In the heap it would lie among their feature maps, and leave
    gaps there.
    """
    content = mmap.mmap(-1, math.prod(shape) * dtype.itemsize)
    return np.frombuffer(content, dtype).reshape(shape)


def _side_by_side(
    tiles: Iterable[Pixels], shape: tuple[int, int, int], dtype: np.dtype[Any]
) -> Iterator[Pixels]:
    """Yield rows of tiles that are next to each other; memory holds a megapixel of them.

    Args:
        tiles: (n, w, C) from left to right, of any widths w.
        shape: (n, W, C) of them all.
        dtype: of a value.
    """
    height, width, channels = shape
    size = channels * dtype.itemsize  # of a pixel
    with tempfile.TemporaryFile() as file:
        widths = []
        for tile in tiles:
            file.write(np.ascontiguousarray(tile).data)
            widths.append(tile.shape[1])
        step = max(1, BAND_PIXELS // width)
        for top in range(0, height, step):
            bottom = min(top + step, height)
            band = np.empty((bottom - top, width, channels), dtype)
            left = 0
            for tile_width in widths:
                file.seek((left * height + top * tile_width) * size)
                content = file.read((bottom - top) * tile_width * size)
                part = np.frombuffer(content, dtype).reshape(bottom - top, tile_width, channels)
                band[:, left : left + tile_width] = part
                left += tile_width
            yield band


def _read_padded(picture: Picture, box: Box) -> Pixels:
    """Read a box; repeat the last row and column of the picture where it extends beyond them."""
    bottom, right = min(box.bottom, picture.height), min(box.right, picture.width)
    part = picture.box(Box(box.top, bottom, box.left, right))
    below, beyond = box.height - part.shape[0], box.width - part.shape[1]
    if not below and not beyond:
        return part
    return np.pad(part, ((0, below), (0, beyond), (0, 0)), mode="edge")
