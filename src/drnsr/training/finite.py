"""A loss that is no number ends a run, or its step is left out, before it spoils the weights."""

import logging
from typing import Any, Literal

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from drnsr.errors import UserError

log = logging.getLogger("drnsr")

BadLosses = Literal["fail", "skip"]


class LossError(UserError):
    """A loss is infinite or no number; the message names the step and the samples."""


class FiniteLoss(L.Callback):
    """Looks at every loss before its gradients are taken; the states on disk stay good ones.

    On a GPU this waits for each loss; loader workers prepare the next batch meanwhile.

    Args:
        bad_losses: "fail" ends the run; "skip" leaves the weights and the optimizer as they are for
            that step, names it, and counts it.

    Attributes:
        skipped: how many losses were skipped, in the whole run.
    """

    def __init__(self, bad_losses: BadLosses) -> None:
        self.skipped = 0
        self._bad_losses = bad_losses
        self._batch_size = 0
        self._bad = False

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
        """Look at the loss.

        Raises:
            LossError: it is not finite, and may not be skipped or is the fault of the weights.
        """
        self._bad = not torch.isfinite(loss)
        if not self._bad:
            return
        first = trainer.global_step * self._batch_size
        samples = f"samples {first} to {first + self._batch_size - 1}"
        bad = f"the loss of step {trainer.global_step + 1} is {float(loss.detach())} ({samples})"
        advice = "lower optimizer.lr, choose a clipping, or another trainer.precision"
        if self._bad_losses == "fail":
            raise LossError(f"{bad}; {advice}, or skip such steps by trainer.bad_losses=skip")
        if not are_finite(pl_module):
            raise LossError(f"{bad}, for weights are infinite or no numbers; {advice}")
        self.skipped += 1
        log.warning("%s: skipped", bad)

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer
    ) -> None:
        """Take the gradients of a bad loss away: without any, an optimizer does nothing."""
        if self._bad:
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """What this callback must know to go on."""
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.skipped = state_dict["skipped"]


def are_finite(module: nn.Module) -> bool:
    """Whether every parameter is."""
    return all(bool(parameter.isfinite().all()) for parameter in module.parameters())
