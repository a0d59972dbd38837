"""One picture to learn from: which part is trained on, and which is withheld.

The founding paper (Kavitha et al. 2025) trains on a single picture. What is measured must not have
been seen, so a part of it is withheld, in one of two ways:

- ``zero_shot``: all that is seen is the low resolution, which whoever wants it enlarged has in any
  case; pairs are made by shrinking it again (Shocher et al. 2018, section 3). Withheld is the
  picture's high resolution.
- ``half``: the left half of the high resolution is seen, the right half withheld.

In both a strip at the bottom of what is seen is kept from training too, to validate with.
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

# Of the rows that are seen; an eighth is enough to see a training go astray.
_VALIDATION_ROWS = 8


def withhold(
    picture: NDArray[np.uint8], mode: str, scale: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Part a picture into what is seen and what is withheld.

    Args:
        picture: (H, W, C) uint8.
        mode: one of :data:`MODES`.
        scale: of the super-resolution.

    Returns:
        What is seen: the picture shrunk by ``scale``, or its left half; and what is withheld: the
        picture itself, or its right half.
    """
    if mode == "zero_shot":
        return downscale(crop_to_multiple(picture, scale), scale), picture
    middle = picture.shape[1] // 2
    return picture[:, :middle], picture[:, middle:]


def write_parts(image: Path, training: Path, benchmark: Path, *, mode: str, scale: int) -> None:
    """Write what is trained on, validated with and measured on as pictures of their own.

    Args:
        image: the picture.
        training: folder for :data:`TRAINING` and :data:`VALIDATION`.
        benchmark: folder for what is withheld, under the picture's own name.
        mode: one of :data:`MODES`.
        scale: of the super-resolution.

    Raises:
        DataError: the mode is unknown, or the picture too small.
        ImageError: it cannot be read.
    """
    if mode not in MODES:
        raise DataError(f"mode: {mode} is none of {', '.join(MODES)}")
    picture = read_image(image)
    seen, withheld = withhold(picture, mode, scale)
    strip = seen.shape[0] // _VALIDATION_ROWS
    if min(strip, seen.shape[1]) < scale:
        height, width, _ = picture.shape
        raise DataError(f"{image}: {width} x {height} pixels are too few to train on a part of it")
    write_png(training / TRAINING, seen[:-strip])
    write_png(training / VALIDATION, seen[-strip:])
    write_png(benchmark / f"{image.stem}.png", withheld)
