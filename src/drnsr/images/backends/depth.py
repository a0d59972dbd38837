"""Depths between those of numpy's types, such as 12 bits, whose white other programs must know."""

from typing import Any

import numpy as np

from drnsr.images.picture import Pixels, full_range


def scaled_to_type(pixels: Pixels, bits: int) -> Pixels:
    """Scale unsigned values of some bits to the full range of their type."""
    dtype = pixels.dtype.newbyteorder("=")
    scaled: Pixels = (pixels * (full_range(dtype)[1] / ((1 << bits) - 1))).round().astype(dtype)
    return scaled


def depth_note(bits: int, dtype: np.dtype[Any]) -> str:
    """Return what a user is told about it."""
    return f"{bits} bits become {8 * dtype.itemsize}, so that white stays white"
