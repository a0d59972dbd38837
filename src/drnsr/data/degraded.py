"""Degraded low resolution: of crops for training, and of whole pictures, always the same."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drnsr.degradation.drawing import apply_steps, draw_steps
from drnsr.degradation.parameters import Degradation
from drnsr.hashing import sha256_of
from drnsr.images.resize import crop_to_multiple


class Region(NamedTuple):
    """A square crop in LR pixels."""

    top: int
    left: int
    side: int


def degrade_crop(
    picture: NDArray[np.uint8],
    scale: int,
    region: Region,
    degradation: Degradation,
    random: np.random.Generator,
) -> NDArray[np.uint8]:
    """Degrade a crop of a picture, with a margin so that kernels see beyond the crop's border.

    Args:
        picture: the original, (H, W, C).
        scale: the factor between HR and LR.
        region: the crop.
        degradation: one with rounds.
        random: the generator of its parameters and noise.

    Returns:
        (side, side, C).
    """
    height, width = picture.shape[0] // scale, picture.shape[1] // scale
    margin = degradation.margin
    top, left = max(0, region.top - margin), max(0, region.left - margin)
    bottom = min(height, region.top + region.side + margin)
    right = min(width, region.left + region.side + margin)
    hr = picture[top * scale : bottom * scale, left * scale : right * scale]
    lr = apply_steps(draw_steps(degradation, random), hr, scale, random)
    first_row, first_column = region.top - top, region.left - left
    return lr[first_row : first_row + region.side, first_column : first_column + region.side]


def degrade_picture(
    picture: NDArray[np.uint8], scale: int, degradation: Degradation
) -> NDArray[np.uint8]:
    """Degrade a whole picture by the degradation's seed and the picture's content alone.

    So a picture has the same LR in any data set and at any place. Its bytes may change with the
    version of numpy (noise), OpenCV (resize, convolution) or the libjpeg in it (JPEG), and by a
    level with the kind of CPU, on which the order of OpenCV's sums depends.

    Args:
        picture: (H, W, C); rows and columns beyond a multiple of the scale are not used.
        scale: the factor between HR and LR.
        degradation: one with rounds.

    Returns:
        (H // scale, W // scale, C).
    """
    content = sha256_of([repr(picture.shape).encode(), picture.tobytes()])
    random = np.random.default_rng([degradation.seed, scale, int(content, 16)])
    hr = crop_to_multiple(picture, scale)
    return apply_steps(draw_steps(degradation, random), hr, scale, random)
