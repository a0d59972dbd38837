"""Cutting an upscaled picture into the tiles of a TIFF while its rows are computed."""

from collections.abc import Iterable, Iterator

import numpy as np

from drnsr.images.page import UpscaledPage
from drnsr.images.picture import Pixels

_SIDES = (512, 256, 128)
_HELD = 128 << 20
"""The bytes of a row of tiles, which is held in memory, unless the smallest tiles have more."""


def tile_side(page: UpscaledPage) -> int:
    """Return the side of the tiles: smaller ones for a very wide page."""
    row = page.size // page.height
    return next((side for side in _SIDES if side * row <= _HELD), _SIDES[-1])


def iter_tiles(rows: Iterable[Pixels], side: int) -> Iterator[Pixels]:
    """Cut bands (n, W, C) of any height into tiles (side, side, C) in rows; the last are padded."""
    kept: Pixels = np.empty(0)
    count = 0
    for band in rows:
        if not kept.size:
            kept = np.empty((side, *band.shape[1:]), band.dtype)
        start = 0
        while start < len(band):
            taken = band[start : start + side - count]
            kept[count : count + len(taken)] = taken
            start, count = start + len(taken), count + len(taken)
            if count == side:
                yield from _cut(kept, side)
                count = 0
        del band, taken  # else it would be in memory while the next one is computed
    if count:
        yield from _cut(kept[:count], side)


def _cut(band: Pixels, side: int) -> Iterator[Pixels]:
    for left in range(0, band.shape[1], side):
        part = band[:, left : left + side]
        tile = np.zeros((side, side, band.shape[2]), band.dtype)
        tile[: part.shape[0], : part.shape[1]] = part
        yield tile
