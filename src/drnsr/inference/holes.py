"""Pixels of which nothing is known: filled before a network sees them, and the same afterwards."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from drnsr.images.picture import Picture, Pixels
from drnsr.inference.engine import Planes

FILL = 8
"""How far, in LR pixels, colour flows into holes; a network sees hardly any further."""


def filled(values: Planes, known: NDArray[np.bool_]) -> Planes:
    """Let what is around a hole flow into it, so that its edge shows nothing of what was there.

    Each step gives the unknown pixels the mean of their known neighbours; what is still unknown
    after all of them becomes zero, too far from anything that is seen to matter.

    Args:
        values: (h, w, C).
        known: (h, w, C).
    """
    planes = torch.from_numpy(values).permute(2, 0, 1)[:, None]  # (C, 1, h, w)
    mask = torch.from_numpy(known).permute(2, 0, 1)[:, None].float()
    planes = torch.where(mask > 0, planes, torch.zeros(()))
    for _ in range(FILL):
        weight = F.avg_pool2d(mask, 3, stride=1, padding=1)
        mean = F.avg_pool2d(planes, 3, stride=1, padding=1) / weight.clamp_min(1e-6)
        reached = (weight > 0) & (mask == 0)
        planes = torch.where(reached, mean, planes)
        mask = torch.where(reached, torch.ones(()), mask)
    result: Planes = planes[:, 0].permute(1, 2, 0).numpy()
    return result


def mark_holes(
    pixels: Pixels,
    picture: Picture,
    part: Pixels,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> None:
    """Let holes be what they were, and nothing else: rounding could give their value by chance.

    Args:
        pixels: (H, W, C), enlarged; they are changed.
        picture: what they were made of.
        part: (h, w, C) of it.
        rows: (H,) of ``part``, in which the enlarged pixels lie.
        columns: (W,) likewise.
    """
    known = picture.known(part)
    if known is None:
        return
    if picture.nodata is not None and np.issubdtype(picture.dtype, np.integer):
        upwards = picture.nodata < np.iinfo(picture.dtype).max
        colour = pixels[:, :, : picture.channels.colour]
        colour[colour == picture.nodata] += 1 if upwards else -1
    if not known.all():
        hole = ~known[rows][:, columns]
        pixels[hole] = part[rows][:, columns][hole]


def with_holes(
    bands: Iterable[Pixels], picture: Picture, size: tuple[int, int]
) -> Iterator[Pixels]:
    """Mark the holes of a picture that was resized while they were filled.

    Args:
        bands: (n, W, C), the rows from top to bottom.
        picture: what was resized.
        size: (height, width) of what was made.
    """
    columns = _lie_in(0, size[1], size[1], picture.width)
    top = 0
    for band in bands:
        rows = _lie_in(top, top + len(band), size[0], picture.height)
        part = picture.rows(int(rows[0]), int(rows[-1]) + 1)
        mark_holes(band, picture, part, rows - rows[0], columns)
        yield band
        top += len(band)


def _lie_in(start: int, stop: int, new: int, old: int) -> NDArray[np.int64]:
    """In which of ``old`` pixels of a line the centres of those of ``new`` lie."""
    return ((2 * np.arange(start, stop) + 1) * old) // (2 * new)
