"""A picture in tiles: what is held in memory depends on the tile and not on the picture."""

import logging
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Literal

import numpy as np

from drnsr.errors import UserError
from drnsr.images.picture import Box, Picture, Pixels, gathered
from drnsr.inference.channels import enlarge_part, start_part
from drnsr.inference.engine import Engine
from drnsr.inference.holes import FILL

log = logging.getLogger("drnsr")

TileSize = int | Literal["auto", "off"]
"""Side of a tile in LR pixels, without what it sees of its surroundings."""

# A halo of 17 pixels around 640 adds 11 % to the work; the shipped models need 0.4 GB for it.
AUTO = 640

SMALLEST = 16

# Where a result depends on the whole picture, no halo makes tiles exact; so wide, the seams of
# RCAN are below what 8 bits show.
_GLOBAL_HALO = 64

Advance = Callable[[int], None]
"""Told how many LR pixels were enlarged since the last call."""


class TooLittleMemoryError(UserError):
    """Even small tiles do not fit."""


class Tiling:
    """Enlarges pictures tile by tile.

    Each tile is seen with the network's receptive field around it, so that its pixels are those of
    the whole picture. A tile that needs more memory than there is is halved, and so are the later
    ones.

    Args:
        engine: the network.
        tile: its side; "auto" for one that suits the shipped models, "off" for the whole picture
            at once.
        ensemble: see :func:`drnsr.inference.channels.enlarge_part`.

    Raises:
        ValueError: ``tile`` is a number below :data:`SMALLEST`.
    """

    def __init__(self, engine: Engine, *, tile: TileSize = "auto", ensemble: bool = False) -> None:
        if isinstance(tile, int) and tile < SMALLEST:
            raise ValueError(f"a tile of {tile} pixels is too small; {SMALLEST} is the smallest")
        self.engine = engine
        self._ensemble = ensemble
        self._is_to_be_told = not engine.descriptor.tiling_exact
        self._side: float = {"auto": AUTO, "off": float("inf")}.get(tile, tile)  # type: ignore[arg-type]

    def rows(self, picture: Picture, advance: Advance = lambda _: None) -> Iterator[Pixels]:
        """Enlarge a picture from top to bottom.

        Args:
            picture: what to enlarge.
            advance: see :data:`Advance`.

        Yields:
            Bands of rows (n, scale*W, C) of the picture's type.

        Raises:
            TooLittleMemoryError: even the smallest tile does not fit in memory.
        """
        if self._is_to_be_told and self._is_cut(picture):
            self._is_to_be_told = False
            log.info(
                "this network looks at the whole picture at once: in tiles the result is close to"
                " that, and not the same (--tile off)"
            )
        top = 0
        while top < picture.height:
            # Asked anew for each band: the side may have become smaller in the last.
            bottom = top + self._even(picture.height - top)
            yield self._band(picture, top, bottom, advance)
            top = bottom

    def whole(self, picture: Picture) -> Pixels:
        """Enlarge a picture into (scale*H, scale*W, C) of its own type, as :meth:`rows` does."""
        scale = self.engine.scale
        shape = (picture.height * scale, picture.width * scale, picture.channels.count)
        return gathered(self.rows(picture), shape, picture.dtype)

    def part(self, picture: Picture, box: Box) -> Pixels:
        """Enlarge a part of a picture into what it is in the whole.

        Args:
            picture: what the part is of.
            box: within it, in LR pixels.

        Returns:
            (scale*box.height, scale*box.width, C) of the picture's type.

        Raises:
            TooLittleMemoryError: even the smallest tile does not fit in memory.
        """
        multiple, scale = self._multiple, self.engine.scale
        top, left = box.top // multiple * multiple, box.left // multiple * multiple
        bottom, right = (-(-side // multiple) * multiple for side in (box.bottom, box.right))
        enlarged = self._tile(picture, Box(top, bottom, left, right))
        return enlarged[
            (box.top - top) * scale : (box.bottom - top) * scale,
            (box.left - left) * scale : (box.right - left) * scale,
        ]

    def _band(self, picture: Picture, top: int, bottom: int, advance: Advance) -> Pixels:
        scale = self.engine.scale
        height = min(bottom, picture.height) - top
        band = np.empty(
            (height * scale, picture.width * scale, picture.channels.count), picture.dtype
        )
        lefts = range(0, picture.width, self._even(picture.width))
        boxes = [Box(top, bottom, left, left + lefts.step) for left in lefts]
        # A device enlarges the next tile while this one is put in its place.
        begun = self._begun(picture, boxes[0])
        for box, following in zip_longest(boxes, boxes[1:]):
            tile = begun
            if following is not None:
                begun = self._begun(picture, following)
            band[:, box.left * scale : box.right * scale] = tile()
            advance(height * (min(box.right, picture.width) - box.left))
        return band

    def _begun(self, picture: Picture, box: Box) -> Callable[[], Pixels]:
        """What gives the enlarged pixels of a box, on which a device may be at work already."""
        if box.side <= max(self._side, SMALLEST) + self._multiple:
            seen, place = self._with_halo(picture, box)
            try:
                pixels = start_part(self.engine, picture, seen, self._ensemble)
            except MemoryError:  # it may do once the tile before is gone, or in parts
                pixels = None
            if pixels is not None:
                return lambda: pixels()[place]
        return lambda: self._tile(picture, box)

    def _even(self, length: int) -> int:
        """The first of equal parts of a length, each within a tile, and a multiple of the step."""
        multiple = self._multiple
        parts = max(1, int(-(-length // self._side)))
        return -(-length // parts // multiple) * multiple

    def _tile(self, picture: Picture, box: Box) -> Pixels:
        """The enlarged pixels of a box, without what lies beyond the picture."""
        if box.side > max(self._side, SMALLEST) + self._multiple:
            return self._quarters(picture, box)
        try:
            return self._enlarge(picture, box)
        except MemoryError as error:
            side = min(self._side, box.side) / 2
            if side < SMALLEST:
                raise TooLittleMemoryError(
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

    def _enlarge(self, picture: Picture, box: Box) -> Pixels:
        part, place = self._with_halo(picture, box)
        return enlarge_part(self.engine, picture, part, self._ensemble)[place]

    def _with_halo(self, picture: Picture, box: Box) -> tuple[Pixels, tuple[slice, slice]]:
        """What is seen of a picture for a box, and the place of the box in it when enlarged."""
        scale, halo = self.engine.scale, self._halo(picture)
        top, left = max(0, box.top - halo), max(0, box.left - halo)
        part = _with_border(picture, top, box.bottom + halo, left, box.right + halo, self._multiple)
        bottom, right = min(box.bottom, picture.height), min(box.right, picture.width)
        rows = slice((box.top - top) * scale, (bottom - top) * scale)
        return part, (rows, slice((box.left - left) * scale, (right - left) * scale))

    @property
    def _multiple(self) -> int:
        return self.engine.descriptor.size_multiple

    def _is_cut(self, picture: Picture) -> bool:
        return max(picture.height, picture.width) > self._side

    def _halo(self, picture: Picture) -> int:
        reach = self.engine.descriptor.receptive_field
        halo = _GLOBAL_HALO if reach == "global" else reach
        if picture.may_have_holes:
            halo += FILL
        return -(-halo // self._multiple) * self._multiple


def _with_border(
    picture: Picture, top: int, bottom: int, left: int, right: int, multiple: int
) -> Pixels:
    """Pixels of a picture whose sides are made multiples by repeating the last row and column."""
    part = picture.rows(top, min(bottom, picture.height))[:, left : min(right, picture.width)]
    below = min(bottom - picture.height, -picture.height % multiple)
    beyond = min(right - picture.width, -picture.width % multiple)
    if below <= 0 and beyond <= 0:
        return part
    return np.pad(part, ((0, max(0, below)), (0, max(0, beyond)), (0, 0)), mode="edge")
