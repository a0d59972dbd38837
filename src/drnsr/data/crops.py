"""Training and validation samples: crops of the prepared pictures."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from drnsr.data.degraded import Region, degrade_crop
from drnsr.data.draws import Draws, WeightBy
from drnsr.data.prepared import DataError, PreparedDataset
from drnsr.degradation.parameters import Degradation

# Otherwise albumentations asks a server for its newest version on import.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations as A
from albumentations.core.type_definitions import d4_group_elements

log = logging.getLogger("drnsr")

Pair = tuple[Tensor, Tensor]

_SYMMETRY = A.D4()


def apply_symmetry(pixels: np.ndarray, symmetry: int) -> np.ndarray:
    """Return a view of (H, W) or (H, W, C) under one of the eight symmetries of the square."""
    view: np.ndarray = _SYMMETRY.apply(pixels, group_element=d4_group_elements[symmetry])
    return view


# The same symmetries in OpenCV, in albumentations' order: copying its views takes twenty times as
# long. OpenCV transposes pixels of at most so many bytes.
_MAX_PIXEL_BYTES = 32
_COPY_SYMMETRY: tuple[Callable[[np.ndarray, np.ndarray], object], ...] = (
    lambda pixels, out: np.copyto(out, pixels),
    lambda pixels, out: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE, out),
    lambda pixels, out: cv2.rotate(pixels, cv2.ROTATE_180, out),
    lambda pixels, out: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE, out),
    lambda pixels, out: cv2.flip(pixels, 0, out),
    lambda pixels, out: cv2.transpose(cv2.flip(pixels, -1), out),
    lambda pixels, out: cv2.flip(pixels, 1, out),
    lambda pixels, out: cv2.transpose(pixels, out),
)


def _copy_symmetry(pixels: np.ndarray, symmetry: int, out: np.ndarray) -> None:
    """Copy (H, H, C) under a symmetry of the square."""
    if pixels.shape[2] * pixels.itemsize > _MAX_PIXEL_BYTES:
        np.copyto(out, apply_symmetry(pixels, symmetry))
    else:
        _COPY_SYMMETRY[symmetry](pixels, out)


class TrainingCrops(Dataset[Pair]):
    """Random crops: sample k, its place and its degradation, is a function of (seed, k) alone.

    So a run gets the same samples with any number of workers. A training is a single pass over
    ``num_samples`` samples. If several scales are trained, the samples of a batch share a scale,
    which is drawn uniformly by (seed, number of the batch).

    Args:
        dataset: the prepared training set.
        patch_sizes: side of the LR crop in pixels for each trained scale, each one of
            ``dataset.scales``; the HR crop is scale times as large.
        batch_size: number of consecutive samples in a batch.
        num_samples: number of samples of the training.
        seed: seed of the samples.
        bad_images: what happens if pictures are smaller than a crop: "fail" raises an error that
            names all of them; "skip" logs them and samples from the others.
        degradation: makes the LR crop; None for the prepared LR. It changes no crop's place.
        weight_by: how often a picture is drawn.
        turns: see :class:`drnsr.data.draws.Draws`.

    Raises:
        DataError: if the dataset has no such scale, or training pictures are smaller than a crop
            and must not be skipped, or no other pictures are left.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        *,
        patch_sizes: Mapping[int, int],
        batch_size: int,
        num_samples: int,
        seed: int,
        bad_images: Literal["fail", "skip"] = "fail",
        degradation: Degradation | None = None,
        weight_by: WeightBy = "images",
        turns: bool = True,
    ) -> None:
        for scale in patch_sizes:
            _check_scale(dataset, scale)
        self._dataset = dataset
        self._patch_sizes = dict(patch_sizes)
        self._num_samples = num_samples
        self._degradation = degradation
        numbers = _large_enough(dataset, patch_sizes, bad_images)
        self.draws = Draws(
            dataset,
            numbers,
            patch_sizes=patch_sizes,
            batch_size=batch_size,
            seed=seed,
            weight_by=weight_by,
            turns=turns,
        )

    def __len__(self) -> int:
        return self._num_samples

    def __getitem__(self, k: int) -> Pair:
        """Return sample ``k``: LR (C, p, p) and HR (C, scale*p, scale*p), of the prepared type."""
        if not 0 <= k < self._num_samples:
            raise IndexError(k)
        lr, hr = self.batch([k])
        return lr[0], hr[0]

    def batch(self, numbers: Sequence[int]) -> Pair:
        """Return the samples of a batch: LR (N, C, p, p) and HR (N, C, scale*p, scale*p).

        They have the prepared type, uint8 or uint16.
        """
        scale = self.draws.scale_of(numbers[0])
        size, pixels = self._patch_sizes[scale], self._dataset.pixels
        # Channels-last as in the dataset, so that whole rows are copied, and only once.
        lrs, hrs = (
            np.empty((len(numbers), side, side, pixels.channels), pixels.dtype)
            for side in (size, scale * size)
        )
        sides, dense = (size, size), self._dataset.is_dense
        for place, k in enumerate(numbers):
            number, top, left, symmetry = self.draws.draw(k, scale)
            lr, hr = _crop_pair(self._dataset, number, scale, (top, left), sides, dense=dense)
            if self._degradation is not None:
                random = self.draws.degradation_generator(k)
                if random.random() >= self._degradation.clean_prob:
                    # The LR grid begins at the crop, wherever that is.
                    picture = self._dataset.hr(number)[top % scale :, left % scale :]
                    region = Region(top // scale, left // scale, size)
                    lr = degrade_crop(picture, scale, region, self._degradation, random)
            _copy_symmetry(lr, symmetry, lrs[place])
            _copy_symmetry(hr, symmetry, hrs[place])
        return torch.from_numpy(lrs).permute(0, 3, 1, 2), torch.from_numpy(hrs).permute(0, 3, 1, 2)


class ValidationCrops(Dataset[Pair]):
    """The centre crop of each validation picture.

    Args:
        dataset: the prepared training set.
        scale: one of ``dataset.scales``.
        crop_size: largest side of the LR crop in pixels.

    Raises:
        DataError: if the dataset has no such scale.
    """

    def __init__(self, dataset: PreparedDataset, *, scale: int, crop_size: int) -> None:
        _check_scale(dataset, scale)
        self._dataset = dataset
        self._scale = scale
        self._crop_size = crop_size
        self._numbers = [n for n, image in enumerate(dataset.images) if image.split == "validation"]

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> Pair:
        """Return LR (C, h, w) and HR (C, scale*h, scale*w), of the prepared type."""
        number = self._numbers[index]
        rows, columns, _ = self._dataset.images[number].shape(self._scale)
        height, width = min(rows, self._crop_size), min(columns, self._crop_size)
        top, left = (rows - height) // 2 * self._scale, (columns - width) // 2 * self._scale
        lr, hr = _crop_pair(self._dataset, number, self._scale, (top, left), (height, width))
        return _to_tensor(lr), _to_tensor(hr)


def _check_scale(dataset: PreparedDataset, scale: int) -> None:
    if scale not in dataset.scales:
        raise DataError(
            f"{dataset.folder} has the scales {dataset.scales}, not {scale}; add it to"
            " data.scales and run `dvc repro prepare`"
        )


def _large_enough(
    dataset: PreparedDataset, patch_sizes: Mapping[int, int], bad_images: Literal["fail", "skip"]
) -> list[int]:
    """Return the numbers of the training pictures that are as large as a crop of every scale."""
    numbers = [n for n, image in enumerate(dataset.images) if image.split == "train"]
    small = [
        n
        for n in numbers
        if any(min(dataset.images[n].shape(s)[:2]) < size for s, size in patch_sizes.items())
    ]
    if not small:
        return numbers
    scale, size = max(patch_sizes.items(), key=lambda item: item[0] * item[1])
    side = scale * size
    images = [dataset.images[n] for n in small]
    names = ", ".join(f"{image.name} ({image.width} x {image.height})" for image in images)
    problem = (
        f"{len(small)} of {len(numbers)} training pictures are smaller than one training crop"
        f" ({side} x {side} for a patch of {size} x {size} at scale {scale}): {names}"
    )
    if bad_images == "fail":
        raise DataError(
            f"{problem}; lower datamodule.patch_size or datamodule.hr_patch_size, or skip them by"
            " prepare.bad_images=skip"
        )
    if len(small) == len(numbers):
        raise DataError(f"{problem}; lower datamodule.patch_size or datamodule.hr_patch_size")
    log.warning("skipped: %s", problem)
    return sorted(set(numbers) - set(small))


def _crop_pair(
    dataset: PreparedDataset,
    number: int,
    scale: int,
    first: tuple[int, int],
    size: tuple[int, int],
    *,
    dense: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop of LR and HR that begins at a row and column of HR, with a size in LR pixels.

    Unless the LR is the dense one, the row and the column are multiples of the scale.
    """
    (top, left), (height, width) = first, size
    rows, columns = slice(top, top + height * scale), slice(left, left + width * scale)
    hr = dataset.hr(number)[rows, columns]
    if dense:
        return dataset.dense_lr(number, scale)[rows, columns][::scale, ::scale], hr
    row, column = top // scale, left // scale
    return dataset.lr(number, scale)[row : row + height, column : column + width], hr


def _to_tensor(pixels: np.ndarray) -> Tensor:
    """Convert (H, W, C) to (C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
