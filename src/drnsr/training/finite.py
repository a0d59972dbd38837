"""A loss that is no number ends a run before it spoils the weights."""

from typing import Any

import lightning as L
import torch
from torch import Tensor

from drnsr.errors import UserError


class LossError(UserError):
    """A loss is infinite or no number; the message names the step and the samples."""


class FiniteLoss(L.Callback):
    """Looks at every loss before its gradients are taken; the states on disk stay good ones.

    On a GPU this waits for each loss; loader workers prepare the next batch meanwhile.
    """

    def __init__(self) -> None:
        self._batch_size = 0

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401 (Lightning's own signature)
        batch_idx: int,
    ) -> None:
        """Note how many samples the step has."""
        self._batch_size = len(batch[0])

    def on_before_backward(
        self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor
    ) -> None:
        """Raise when the loss is not finite.

        Raises:
            LossError: it is not.
        """
        if torch.isfinite(loss):
            return
        first = trainer.global_step * self._batch_size
        raise LossError(
            f"the loss of step {trainer.global_step + 1} is {float(loss)} (samples {first} to"
            f" {first + self._batch_size - 1}); lower optimizer.lr, choose a clipping, or another"
            " trainer.precision"
        )
