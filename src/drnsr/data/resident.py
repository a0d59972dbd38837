"""Prepared pixels in the memory of a device, where one gather cuts the crops of a batch."""

from collections.abc import Mapping, Sequence
from functools import partial
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from drnsr.cuda_graphs import CudaGraphed
from drnsr.data.crops import Pair, apply_symmetry
from drnsr.data.draws import Draws
from drnsr.data.prepared import PreparedDataset

# Largest fraction of a device's free memory for pixels; the network needs the rest.
_MAX_MEMORY_FRACTION = 0.5


class Positions(NamedTuple):
    """The positions of the crops of a batch.

    Attributes:
        scale: scale of all of them.
        where: (N, 5) int64: index of the first pixel of the LR crop among all LR pixels of this
            scale, distance from each row of the crop to the next, the same two for HR, and the
            symmetry.
    """

    scale: int
    where: Tensor | NDArray[np.int64]


class CropPositions:
    """The samples of :class:`drnsr.data.crops.TrainingCrops` as positions.

    Args:
        dataset: the prepared training set.
        patch_sizes: side of the LR crop for each trained scale.
        draws: the random draws of the samples.
    """

    def __init__(
        self, dataset: PreparedDataset, *, patch_sizes: Mapping[int, int], draws: Draws
    ) -> None:
        self._draws = draws
        self._is_dense = dataset.is_dense
        self._starts = {scale: _starts(dataset, scale) for scale in (1, *patch_sizes)}
        self._widths = {
            scale: np.array([image.shape(scale)[1] for image in dataset.images])
            for scale in (1, *patch_sizes)
        }

    def batch(self, numbers: Sequence[int]) -> Positions:
        """Return the positions of a batch."""
        scale = self._draws.scale_of(numbers[0])
        drawn = np.array([self._draws.draw(k, scale) for k in numbers], np.int64)
        picture, top, left, symmetry = drawn.T
        hr_width = self._widths[1][picture]
        hr = self._starts[1][picture] + top * hr_width + left
        if self._is_dense:  # its LR has an entry for each HR pixel, of which a crop takes some
            lr, lr_width = hr, scale * hr_width
        else:
            lr_width = self._widths[scale][picture]
            lr = self._starts[scale][picture] + top // scale * lr_width + left // scale
        where = np.stack([lr, lr_width, hr, hr_width, symmetry], axis=1)
        return Positions(scale, where)  # an array is cheaper to send between processes


class ResidentPixels:
    """The training pictures of a dataset, on a device.

    Args:
        dataset: the prepared training set.
        patch_sizes: side of the LR crop for each trained scale.
        device: the device.
    """

    def __init__(
        self, dataset: PreparedDataset, *, patch_sizes: Mapping[int, int], device: torch.device
    ) -> None:
        self._pixels = {
            scale: _copy_to_device(dataset, scale, device) for scale in (1, *patch_sizes)
        }
        self._maps = {}
        for scale, side in patch_sizes.items():
            step = scale if dataset.is_dense else 1
            self._maps[scale] = (
                _index_maps(side, device, step),
                _index_maps(scale * side, device),
            )
        self._device = device
        self._dtype = torch.uint8 if dataset.pixels.depth == 8 else torch.uint16
        self._cuts = {scale: CudaGraphed(partial(self._cut, scale)) for scale in patch_sizes}

    def cut(self, positions: Positions) -> Pair:
        """Return the crops of a batch: LR (N, C, p, p) and HR (N, C, scale*p, scale*p).

        Type and pixels are those of :class:`drnsr.data.crops.TrainingCrops`, in channels-last
        layout. On a CUDA device the next call overwrites them.
        """
        where = torch.as_tensor(positions.where).to(self._device, non_blocking=True)
        lr, hr = self._cuts[positions.scale](where)
        return lr, hr

    def _cut(self, scale: int, where: Tensor) -> Pair:
        lr_first, lr_width, hr_first, hr_width, symmetry = where.unbind(1)
        lr_map, hr_map = self._maps[scale]
        lr = _gather(self._pixels[scale], lr_first, lr_width, symmetry, lr_map)
        hr = _gather(self._pixels[1], hr_first, hr_width, symmetry, hr_map)
        return lr.view(self._dtype), hr.view(self._dtype)


def fits(dataset: PreparedDataset, scales: Sequence[int], device: torch.device) -> bool:
    """Return whether the training pictures fit into the memory of a device, beside a network.

    This is false for the CPU, and for devices whose free memory torch cannot report.
    """
    free = getattr(torch.get_device_module(device), "mem_get_info", None)
    if device.type == "cpu" or free is None:
        return False
    values = sum(
        prod(image.shape(1 if dataset.is_dense else scale))
        for image in dataset.images
        for scale in (1, *scales)
    )
    needed = values * dataset.pixels.dtype.itemsize
    return bool(needed < _MAX_MEMORY_FRACTION * free(device)[0])


def _starts(dataset: PreparedDataset, scale: int) -> np.ndarray:
    """Return the index of each picture's first pixel among all pixels."""
    sizes = [prod(image.shape(scale)[:2]) for image in dataset.images]
    return np.cumsum([0, *sizes[:-1]])


def _copy_to_device(dataset: PreparedDataset, scale: int, device: torch.device) -> Tensor:
    """Return all pixels of HR, or of the LR to cut, as (N, C), copied one by one, to save memory.

    Values of 16 bits are int16 of the same bits: torch indexes no uint16.
    """
    dense = dataset.is_dense and scale > 1
    starts = _starts(dataset, 1 if dense else scale)
    last = prod(dataset.images[-1].shape(1 if dense else scale)[:2])
    channels, depth = dataset.pixels.channels, dataset.pixels.depth
    dtype = torch.uint8 if depth == 8 else torch.int16
    pixels = torch.empty((int(starts[-1]) + last, channels), dtype=dtype, device=device)
    for number, start in enumerate(starts):
        if scale == 1:
            picture = dataset.hr(number)
        else:
            picture = dataset.dense_lr(number, scale) if dense else dataset.lr(number, scale)
        pixels[start : start + picture.shape[0] * picture.shape[1]] = (
            torch.from_numpy(
                picture.reshape(-1, channels).copy()  # torch does not accept read-only memory
            )
            .view(dtype)
            .to(device)
        )
    return pixels


def _index_maps(side: int, device: torch.device, step: int = 1) -> tuple[Tensor, Tensor]:
    """Return the source row and column of each pixel by symmetry, two of (8, side, side).

    Columns are ``step`` entries apart.
    """
    grid = np.arange(side**2, dtype=np.int32).reshape(side, side)
    maps = np.stack([apply_symmetry(grid, symmetry) for symmetry in range(8)]).astype(np.int64)
    rows, columns = (torch.from_numpy(part).to(device) for part in np.divmod(maps, side))
    return rows, step * columns


def _gather(
    pixels: Tensor, first: Tensor, width: Tensor, symmetry: Tensor, maps: tuple[Tensor, Tensor]
) -> Tensor:
    rows, columns = (each[symmetry] for each in maps)  # (N, side, side)
    index = first[:, None, None] + rows * width[:, None, None] + columns
    return pixels[index].permute(0, 3, 1, 2)
