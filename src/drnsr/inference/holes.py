"""Holes: pixels without a valid value (NaN, infinity, nodata) or under full transparency.

They are filled from their neighbours before the network runs, and restored in its output.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from drnsr.images.picture import Picture, Pixels, nearest_pixels
from drnsr.inference.engine import FloatPixels

FILL_RADIUS = 8
"""How far, in LR pixels, the neighbours' values are propagated into a hole."""


def fill_holes(values: FloatPixels, is_valid: NDArray[np.bool_]) -> FloatPixels:
    """Fill holes from their border inwards, so that the network sees no edge around them.

    Each of :data:`FILL_RADIUS` steps sets the unfilled pixels next to filled ones to the mean of
    these neighbours. What is further inside becomes zero.

    Args:
        values: (h, w, C).
        is_valid: (h, w, C).

    Returns:
        (h, w, C); valid pixels are unchanged.
    """
    planes = torch.from_numpy(values).permute(2, 0, 1)[:, None]  # (C, 1, h, w)
    mask = torch.from_numpy(is_valid).permute(2, 0, 1)[:, None].float()
    planes = torch.where(mask > 0, planes, torch.zeros(()))
    for _ in range(FILL_RADIUS):
        weight = F.avg_pool2d(mask, 3, stride=1, padding=1)
        mean = F.avg_pool2d(planes, 3, stride=1, padding=1) / weight.clamp_min(1e-6)
        reached = (weight > 0) & (mask == 0)
        planes = torch.where(reached, mean, planes)
        mask = torch.where(reached, torch.ones(()), mask)
    result: FloatPixels = planes[:, 0].permute(1, 2, 0).numpy()
    return result


def restore_holes(
    pixels: Pixels,
    picture: Picture,
    part: Pixels,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> None:
    """Copy the holes of LR pixels into the upscaled pixels, which are changed in place.

    Upscaled pixels that are equal to the nodata value by rounding are changed by one.

    Args:
        pixels: (H, W, C), upscaled.
        picture: the picture that they were made from.
        part: (h, w, C), the pixels of the picture that they were made from.
        rows: (H,), the row of ``part`` in which each upscaled row lies.
        columns: (W,), the column of ``part`` in which each upscaled column lies.
    """
    is_valid = picture.known(part)
    if is_valid is None:
        return
    if picture.nodata is not None and np.issubdtype(picture.dtype, np.integer):
        colour = pixels[:, :, : picture.channels.colour]
        equal = colour == picture.nodata
        if picture.nodata < np.iinfo(picture.dtype).max:
            colour[equal] += 1
        else:
            colour[equal] -= 1  # -1 itself is outside of an unsigned type
    if not is_valid.all():
        hole = ~is_valid[rows][:, columns]
        pixels[hole] = part[rows][:, columns][hole]


def restore_holes_by_rows(
    bands: Iterable[Pixels], picture: Picture, size: tuple[int, int]
) -> Iterator[Pixels]:
    """Restore the holes of a picture in rows that were upscaled and then resized.

    Args:
        bands: bands of rows (n, W, C) from top to bottom.
        picture: the picture that they were made from.
        size: (height, width) of the result.

    Yields:
        The same bands with the holes restored.
    """
    columns = nearest_pixels(0, size[1], size[1], picture.width)
    top = 0
    for band in bands:
        rows = nearest_pixels(top, top + len(band), size[0], picture.height)
        part = picture.rows(int(rows[0]), int(rows[-1]) + 1)
        restore_holes(band, picture, part, rows - rows[0], columns)
        yield band
        top += len(band)
        del band, part  # they would be in memory while the next band is computed
