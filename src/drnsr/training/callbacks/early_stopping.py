"""Ends a training whose validations no longer improve: Lightning's callback on the PSNR."""

from pathlib import Path
from typing import Protocol

import torch
from lightning.pytorch.callbacks import EarlyStopping

from drnsr.training.scalars import VAL_PSNR


class EarlyStoppingSettings(Protocol):
    """The values of the configuration's ``trainer.early_stopping``.

    Attributes:
        patience: number of validations without an improvement after which the training ends.
        min_delta: what counts as an improvement of the best PSNR so far, in dB; 0 or more.
    """

    @property
    def patience(self) -> int: ...  # noqa: D102
    @property
    def min_delta(self) -> float: ...  # noqa: D102


def early_stopping(settings: EarlyStoppingSettings) -> EarlyStopping:
    """Make the callback; its count is a part of the training's states."""
    return _callback(settings.patience, settings.min_delta)


def has_stopped(state: Path) -> bool:
    """Return whether a training was ended early at its state in this file."""
    content = torch.load(state, map_location="cpu", weights_only=True, mmap=True)
    counted = content["callbacks"].get(_callback().state_key)
    return counted is not None and counted["wait_count"] >= counted["patience"]


def _callback(patience: int = 1, min_delta: float = 0.0) -> EarlyStopping:
    return EarlyStopping(
        VAL_PSNR.name,
        mode="max",
        patience=patience,
        min_delta=min_delta,
        check_finite=False,  # an infinite PSNR is the best one
        check_on_train_epoch_end=False,
    )
