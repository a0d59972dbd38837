"""Training on a single picture: the part to train on, and the part withheld for evaluation.

The paper of DRNSR (Kavitha et al. 2025) trains on a single picture. The evaluation needs pixels
that were not trained on, so a part is withheld, in one of two ways:

- ``zero_shot``: the training uses the low resolution alone, and makes pairs by downscaling it again
  (Shocher et al. 2018, section 3). The high resolution is withheld.
- ``half``: the training uses the left half of the high resolution. The right half is withheld.

In both, a strip at the bottom of the training part is used for validation.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drnsr.data.prepared import DataError
from drnsr.images.encoding import write_png
from drnsr.images.files import read_image
from drnsr.images.resize import crop_to_multiple, downscale

MODES = ("zero_shot", "half")

TRAINING = "training.png"
VALIDATION = "validation.png"

# One in so many rows of the training part is for validation, enough to notice a failed training.
_VALIDATION_ROWS = 8


def withhold(
    picture: NDArray[np.uint8], mode: str, scale: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Split a picture into the training part and the withheld part.

    Args:
        picture: (H, W, C) uint8.
        mode: one of :data:`MODES`.
        scale: scale of the super-resolution.

    Returns:
        The training part, the picture downscaled by ``scale`` or its left half; and the withheld
        part, the picture itself or its right half.
    """
    if mode == "zero_shot":
        return downscale(crop_to_multiple(picture, scale), scale), picture
    middle = picture.shape[1] // 2
    return picture[:, :middle], picture[:, middle:]


def write_parts(image: Path, training: Path, benchmark: Path, *, mode: str, scale: int) -> None:
    """Write the training, validation and withheld parts of a picture as files.

    Args:
        image: the picture.
        training: folder for :data:`TRAINING` and :data:`VALIDATION`.
        benchmark: folder for the withheld part, under the picture's name.
        mode: one of :data:`MODES`.
        scale: scale of the super-resolution.

    Raises:
        DataError: if the mode is unknown, or the picture too small.
        ImageError: if the picture cannot be read.
    """
    if mode not in MODES:
        raise DataError(f"mode: {mode} is none of {', '.join(MODES)}")
    picture = read_image(image)
    training_part, withheld = withhold(picture, mode, scale)
    strip = training_part.shape[0] // _VALIDATION_ROWS
    if min(strip, training_part.shape[1]) < scale:
        height, width, _ = picture.shape
        raise DataError(f"{image}: {width} x {height} pixels are too few to train on a part of it")
    write_png(training / TRAINING, training_part[:-strip])
    write_png(training / VALIDATION, training_part[-strip:])
    write_png(benchmark / f"{image.stem}.png", withheld)
