"""The Lightning data module over a prepared training set."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, cast

import lightning as L
import torch
from lightning.pytorch.loops.progress import _ProcessedTracker
from torch.utils.data import DataLoader, Dataset, Sampler

from drnsr.data.crops import Pair, TrainingCrops, ValidationCrops
from drnsr.data.draws import WeightBy, lr_patch_sizes
from drnsr.data.prepared import PreparedDataset
from drnsr.data.resident import CropPositions, Positions, ResidentPixels, fits
from drnsr.degradation.parameters import Degradation
from drnsr.signals import ignore_ctrl_c

log = logging.getLogger("drnsr")


class SRDataModule(L.LightningDataModule):
    """The data of a training run: ``max_steps`` batches of crops, and the validation crops.

    If the training pictures fit into the memory of the device, they are copied there once, and
    cropped there. Otherwise crops are cut on the CPU and copied. Both give the same pixels. Crops
    are always degraded on the CPU.

    Args:
        dataset: the prepared training set.
        scale: scale of the validation crops, one of ``dataset.scales``.
        scales: the trained scales, one per batch, each one of ``dataset.scales``.
        patch_size: side of the LR crop in pixels at every scale; None if ``hr_patch_size`` is
            given.
        hr_patch_size: side of the HR crop, rounded to the nearest multiple of each scale.
        batch_size: crops per step, of all processes together.
        validation_crop: largest side of a validation crop, in LR pixels.
        workers: number of loader processes; 0 cuts the crops in the training process.
        max_steps: number of steps of the run.
        accumulate: number of batches of the loader whose gradients make a step.
        seed: seed of the crops.
        bad_images: see :class:`TrainingCrops`.
        degradation: see :class:`TrainingCrops`.
        weight_by: see :class:`TrainingCrops`.
        turns: see :class:`drnsr.data.draws.Draws`.

    Raises:
        DataError: see :class:`TrainingCrops`.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        *,
        scale: int,
        scales: Sequence[int],
        patch_size: int | None,
        hr_patch_size: int | None = None,
        batch_size: int,
        validation_crop: int,
        workers: int,
        max_steps: int,
        accumulate: int = 1,
        seed: int,
        bad_images: Literal["fail", "skip"] = "fail",
        degradation: Degradation | None = None,
        weight_by: WeightBy = "images",
        turns: bool = True,
    ) -> None:
        super().__init__()
        self._batch_size = batch_size
        self._accumulate = accumulate
        self._workers = workers
        self._dataset = dataset
        self._patch_sizes = lr_patch_sizes(scales, patch_size, hr_patch_size)
        self._num_samples = max_steps * batch_size
        self._crops = TrainingCrops(
            dataset,
            patch_sizes=self._patch_sizes,
            batch_size=batch_size,
            num_samples=self._num_samples,
            seed=seed,
            bad_images=bad_images,
            degradation=degradation,
            weight_by=weight_by,
            turns=turns,
        )
        self._degradation = degradation
        self._resident: ResidentPixels | None = None
        self._validation = ValidationCrops(dataset, scale=scale, crop_size=validation_crop)

    @property
    def has_one_scale(self) -> bool:
        """Whether all batches are of one scale."""
        return len(self._patch_sizes) == 1

    def train_dataloader(self) -> DataLoader[Any]:
        """Return a loader of the samples 0, 1, 2, ...; they are random without shuffling.

        If there are several processes, or steps accumulate gradients, a batch of the configuration
        is cut into equal parts, which they get in order.
        """
        draw = self._batch_function()
        # A GPU's step is too short to draw a large batch in the same process.
        workers = self._workers if self._resident is None else max(1, self._workers)
        rank, world_size = self._process()
        part = self._batch_size // (world_size * self._accumulate)
        return DataLoader(
            cast(Dataset[int], range(self._num_samples)),  # a sequence is a map-style data set
            batch_size=part,
            sampler=_RemainingSamples(
                self, part, self._num_samples, rank=rank, world_size=world_size
            ),
            collate_fn=draw,
            num_workers=workers,
            worker_init_fn=_ignore_interrupt,
            persistent_workers=workers > 0,
            pin_memory=self._resident is None and torch.cuda.is_available(),
        )

    def _batch_function(self) -> Callable[[Sequence[int]], Pair | Positions]:
        """Return the function that maps sample numbers to crops, or to positions on the device."""
        device = torch.device("cpu") if self.trainer is None else self.trainer.strategy.root_device
        if self._degradation is not None:
            if device.type != "cpu":
                log.info(
                    "degradation %s: made on the CPU, by %d loader processes (datamodule.workers)",
                    self._degradation.name,
                    self._workers,
                )
            return self._crops.batch
        if not fits(self._dataset, list(self._patch_sizes), device):
            return self._crops.batch
        self._resident = ResidentPixels(self._dataset, patch_sizes=self._patch_sizes, device=device)
        log.info("training pictures are on %s, which cuts the crops", device)
        positions = CropPositions(
            self._dataset, patch_sizes=self._patch_sizes, draws=self._crops.draws
        )
        return positions.batch

    def transfer_batch_to_device(
        self, batch: Pair | Positions, device: torch.device, dataloader_idx: int
    ) -> Pair:
        """Copy crops to the device, or cut them there by their positions."""
        if isinstance(batch, Positions):
            assert self._resident is not None
            return self._resident.cut(batch)
        if device.type not in ("cpu", "cuda"):
            batch = _without_uint16(batch)
        moved: Pair = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return moved

    def val_dataloader(self) -> DataLoader[Pair]:
        """Return a loader of single pictures, because they differ in size.

        Of several processes, each gets every so many pictures, and at least one: Lightning skips
        the validation of a process that has none. What is left over is not counted.
        """
        rank, world_size = self._process()
        numbers = range(rank, len(self._validation), world_size) or range(1)
        return DataLoader(self._validation, batch_size=1, sampler=numbers)

    def _process(self) -> tuple[int, int]:
        """Return the number of this process, and how many there are."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size


def _without_uint16(batch: Pair) -> Pair:
    """Return values of 16 bits as int32: MPS has no uint16."""
    lr, hr = (each.to(torch.int32) if each.dtype == torch.uint16 else each for each in batch)
    return lr, hr


def _ignore_interrupt(_: int) -> None:
    """Keep a worker alive after Ctrl-C: the run finishes its step first, and needs the workers."""
    ignore_ctrl_c()


class _RemainingSamples(Sampler[int]):
    """The numbers of the samples that are left to train on in this process, in ascending order.

    Lightning restores the step of a resumed run, but starts the loader from the beginning. Without
    a trainer all samples are left.
    """

    def __init__(
        self, data: SRDataModule, part: int, num_samples: int, *, rank: int, world_size: int
    ) -> None:
        self._data = data
        self._part = part  # samples of a batch of the loader
        self._num_samples = num_samples
        self._rank = rank
        self._world_size = world_size

    def __iter__(self) -> Iterator[int]:
        together = self._part * self._world_size
        first = self._finished_batches() * together + self._rank * self._part
        for start in range(first, self._num_samples, together):
            yield from range(start, start + self._part)

    def _finished_batches(self) -> int:
        if self._data.trainer is None:
            return 0
        progress = self._data.trainer.fit_loop.epoch_loop.batch_progress.total
        assert isinstance(progress, _ProcessedTracker)
        return progress.processed

    def __len__(self) -> int:
        return self._num_samples // self._world_size
