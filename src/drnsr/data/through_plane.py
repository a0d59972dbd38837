"""Training for the coarse direction of a volume on its sharp slices.

Slices are often thicker than pixels are wide. A network for the direction across them can be
trained on the slices themselves (Zhao et al. 2020, SMORE): each is made coarse along one of its
axes, by averaging as many rows as a thick slice would cover, and the network learns to undo that.

The networks enlarge both axes of a picture. So that only one has to be restored, the other is
enlarged by MATLAB's bicubic in the high resolution, and stays as it is in the low resolution:
HR is (H, sW) and LR (H/s, W) for a slice of (H, W) pixels. `drnsr upscale --axes through-plane`
shrinks that axis again.

The last part of the slices is withheld for the benchmark, with a distance to the others, because
neighbouring slices are alike.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drnsr.data.prepared import DataError
from drnsr.images.encoding import write_png
from drnsr.images.page import Page
from drnsr.images.reading import open_picture
from drnsr.images.resample import resize_rows

HIGH = "hr"

_WITHHELD = 0.2  # of the slices, for the benchmark
_DISTANCE = 0.05  # of the slices, between both parts
_LEAST_DETAIL = 0.3  # of the largest standard deviation of a slice; others are nearly empty
_FEWEST = 4  # slices to train on

Slice = NDArray[np.float64]
"""(H, W), 0..255 between the black and white of the volume, not rounded."""


def low_folder(scale: int) -> str:
    """Return the name of the folder of the low resolution."""
    return f"lr_x{scale}"


def thick(values: Slice, scale: int) -> Slice:
    """Average each ``scale`` rows, as a slice of that thickness does.

    Args:
        values: (H, W), where H is divisible by ``scale``.
        scale: the number of rows.

    Returns:
        (H // scale, W).
    """
    averaged: Slice = values.reshape(-1, scale, values.shape[1]).mean(axis=1)
    return averaged


def write_slices(volume: Path, training: Path, benchmark: Path, *, scale: int) -> None:
    """Write the slices of a volume, to train on and withheld, each once along either axis.

    Args:
        volume: a NIfTI file, or the folder of a DICOM series.
        training: folder for the pictures in :data:`HIGH` and :func:`low_folder`.
        benchmark: folder for the withheld ones, at high resolution.
        scale: how many times as thick as a pixel a slice is.

    Raises:
        DataError: it is no volume, or too small.
        ImageError: it cannot be read.
    """
    with open_picture(volume) as file:
        depth = file.pages[0].metadata.slices
        if not depth:
            raise DataError(f"{volume}: no volume; take a NIfTI file or a folder of DICOM slices")
        detail = [float(_values(page).std()) for page in file.pages[:depth]]
        used = [n for n in range(depth) if detail[n] > _LEAST_DETAIL * max(detail)]
        kept = used[: len(used) - round((_WITHHELD + _DISTANCE) * len(used))]
        withheld = used[len(used) - round(_WITHHELD * len(used)) :]
        size = file.pages[0].picture.height, file.pages[0].picture.width
        if len(kept) < _FEWEST or not withheld or min(size) < 16 * scale:
            raise DataError(
                f"{volume}: {size[1]} x {size[0]} x {depth} voxels are too few to train on"
            )
        for number in kept:
            for name, high, low in _pairs(number, _values(file.pages[number]), scale):
                write_png(training / HIGH / name, high)
                write_png(training / low_folder(scale) / name, low)
        for number in withheld:
            for name, high, _ in _pairs(number, _values(file.pages[number]), scale):
                write_png(benchmark / name, high)


def _values(page: Page) -> Slice:
    picture = page.picture
    low, high = (float(np.max(each)) for each in picture.value_range)
    stored = picture.rows(0, picture.height)
    pixels = stored[:, :, 0].astype(np.float64)
    if (known := picture.known(stored)) is not None:
        pixels[~known[:, :, 0]] = low
    values: Slice = ((pixels - low) / ((high - low) or 1.0)).clip(0, 1) * 255
    return values


def _pairs(
    number: int, values: Slice, scale: int
) -> list[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Return the name, HR and LR of a slice that is coarse along its rows, or its columns."""
    pairs = []
    for along, turned in (("rows", values), ("columns", values.T)):
        sharp = turned[: len(turned) // scale * scale]
        size = sharp.shape[0], scale * sharp.shape[1]
        wide = np.concatenate(list(resize_rows([sharp[:, :, None]], sharp.shape, size)))[:, :, 0]
        pairs.append((f"{number:04}_{along}.png", _bytes(wide), _bytes(thick(sharp, scale))))
    return pairs


def _bytes(values: Slice) -> NDArray[np.uint8]:
    return np.floor(values.clip(0, 255) + 0.5).astype(np.uint8)[:, :, None]
