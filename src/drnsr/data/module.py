"""The Lightning data module over a prepared training set."""

import signal
from collections.abc import Iterator, Sequence
from typing import Literal

import lightning as L
import torch
from lightning.pytorch.loops.progress import _ProcessedTracker
from torch.utils.data import DataLoader, Sampler

from drnsr.data.crops import Pair, TrainingCrops, ValidationCrops
from drnsr.data.packing import Pack


class CropData(L.LightningDataModule):
    """Feeds a training run: ``max_steps`` batches of crops, and the validation crops.

    Args:
        pack: the prepared training set.
        scale: of the validation crops; one of ``pack.scales``.
        scales: that are trained, one a batch; each of ``pack.scales``.
        patch_size: side of the LR crop in pixels, whichever the scale; None where that of HR is
            given.
        hr_patch_size: side of the HR crop, taken as the nearest multiple of the scale.
        batch_size: crops a step.
        validation_crop: largest side of a validation crop, in LR pixels.
        workers: loader processes; 0 draws the crops in the training process.
        max_steps: steps of the run.
        seed: of the crops.
        bad_images: see :class:`TrainingCrops`.

    Raises:
        DataError: see :class:`TrainingCrops`.
    """

    def __init__(
        self,
        pack: Pack,
        *,
        scale: int,
        scales: Sequence[int],
        patch_size: int | None,
        hr_patch_size: int | None = None,
        batch_size: int,
        validation_crop: int,
        workers: int,
        max_steps: int,
        seed: int,
        bad_images: Literal["fail", "skip"] = "fail",
    ) -> None:
        super().__init__()
        self._batch_size = batch_size
        self._workers = workers
        self._training = TrainingCrops(
            pack,
            patch_sizes={each: _lr_side(each, patch_size, hr_patch_size) for each in scales},
            batch_size=batch_size,
            num_samples=max_steps * batch_size,
            seed=seed,
            bad_images=bad_images,
        )
        self._validation = ValidationCrops(pack, scale=scale, crop_size=validation_crop)

    def train_dataloader(self) -> DataLoader[Pair]:
        """Samples 0, 1, 2, ...: they are random already, so the order need not be."""
        return DataLoader(
            self._training,
            batch_size=self._batch_size,
            sampler=_Unseen(self, self._batch_size, len(self._training)),
            num_workers=self._workers,
            worker_init_fn=_leave_signals_to_the_run,
            persistent_workers=self._workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def val_dataloader(self) -> DataLoader[Pair]:
        """One picture at a time, for they differ in size."""
        return DataLoader(self._validation, batch_size=1)


def _lr_side(scale: int, patch_size: int | None, hr_patch_size: int | None) -> int:
    """The side of an LR crop, from the one size of the two that is given."""
    if hr_patch_size is None:
        assert patch_size is not None
        return patch_size
    return round(hr_patch_size / scale)


def _leave_signals_to_the_run(_: int) -> None:
    """Ctrl-C reaches every process; the run finishes its step first, and needs its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Unseen(Sampler[int]):
    """The numbers of the samples that the run has not been trained on, in their order.

    A run that goes on from a state begins in the middle. Lightning counts its steps on, but begins
    the loader anew. Without a trainer all samples are unseen.
    """

    def __init__(self, data: CropData, batch_size: int, num_samples: int) -> None:
        self._data = data
        self._batch_size = batch_size
        self._num_samples = num_samples

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._batches_seen() * self._batch_size, self._num_samples))

    def _batches_seen(self) -> int:
        if self._data.trainer is None:
            return 0
        progress = self._data.trainer.fit_loop.epoch_loop.batch_progress.total
        assert isinstance(progress, _ProcessedTracker)
        return progress.processed

    def __len__(self) -> int:
        return self._num_samples
