"""A NaN or infinite loss ends a run, or its step is skipped, before it reaches the weights."""

import logging
import math
from typing import Any, Literal

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from drnsr.errors import UserError
from drnsr.training.device import can_skip, is_asynchronous
from drnsr.training.processes import mean_over_processes, starts_step

log = logging.getLogger("drnsr")

NonfiniteLoss = Literal["fail", "skip"]


class NonfiniteLossError(UserError):
    """A loss is NaN or infinite; the message names the step and the samples."""


class NonfiniteLossCheck(L.Callback):
    """Checks that every loss is finite, before a state or the result of the run is saved.

    On a CPU each loss is checked before its backward pass. On other devices reading a loss waits
    for the device, so the losses of ``check_every`` steps are checked together, and before each
    validation and state. If the run fails, later steps are lost with it. With "skip", the kernel of
    a fused optimizer skips the step on the device; with any other optimizer each loss is checked
    before its step.

    Several processes check the mean of their losses, which is NaN or infinite if one of them is.

    Args:
        nonfinite_loss: "fail" ends the run; "skip" leaves weights and optimizer unchanged in that
            step, and logs and counts it.
        check_every: number of steps between two checks, on other devices than the CPU.

    Attributes:
        skipped: number of skipped losses in the whole run.
    """

    def __init__(self, nonfinite_loss: NonfiniteLoss, check_every: int) -> None:
        self.skipped = 0
        self._nonfinite_loss = nonfinite_loss
        self._check_every = check_every
        self._module: nn.Module = nn.Identity()
        self._is_deferred = False  # whether losses are checked later, together
        self._trainer: L.Trainer | None = None
        self._unchecked: list[tuple[int, Tensor]] = []
        self._step = 0
        self._batch_size = 0
        self._is_nonfinite = False  # the loss of this step, if it is checked at once

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Choose when losses are checked."""
        self._module = pl_module
        is_whole = trainer.world_size == 1 and trainer.accumulate_grad_batches == 1
        self._is_deferred = is_asynchronous(pl_module.device) and (
            self._nonfinite_loss == "fail" or (is_whole and all(map(can_skip, trainer.optimizers)))
        )

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401 (Lightning's own signature)
        batch_idx: int,
    ) -> None:
        """Record the number of the step and its batch size."""
        self._trainer = trainer
        self._step = trainer.global_step + 1
        self._batch_size = len(batch[0]) * trainer.world_size * trainer.accumulate_grad_batches
        if starts_step(trainer, batch_idx):
            self._is_nonfinite = False

    def on_before_backward(
        self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor
    ) -> None:
        """Check the loss, or store it for a later check.

        Raises:
            NonfiniteLossError: if it is NaN or infinite, and must not be skipped, or the weights
                are NaN or infinite too.
        """
        self._unchecked.append((self._step, loss.detach()))
        if not self._is_deferred:
            self._is_nonfinite = self._check() or self._is_nonfinite

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer
    ) -> None:
        """Make a step with a NaN or infinite loss change nothing."""
        if self._is_deferred and self._nonfinite_loss == "skip":
            _, loss = self._unchecked[-1]
            optimizer.found_inf = (~loss.isfinite()).float()  # type: ignore[attr-defined]
        elif self._is_nonfinite:  # without gradients, an optimizer changes nothing
            optimizer.zero_grad(set_to_none=True)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,  # noqa: ANN401 (Lightning's own signature)
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Check the losses every ``check_every`` steps.

        Raises:
            NonfiniteLossError: see :meth:`on_before_backward`.
        """
        if trainer.global_step % self._check_every == 0:
            self._check()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Check the losses before the best state is saved."""
        self._check()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Check the last losses before the model is saved."""
        self._check()

    def _check(self) -> bool:
        """Check all stored losses in one transfer; return whether the last one is not finite."""
        if not self._unchecked:
            return False
        steps, losses = zip(*self._unchecked, strict=True)
        self._unchecked.clear()
        is_nonfinite = False
        means = torch.stack(losses)
        if self._trainer is not None:
            means = mean_over_processes(self._trainer, means)
        for step, loss in zip(steps, means.tolist(), strict=True):
            is_nonfinite = not math.isfinite(loss)
            if is_nonfinite:
                self._handle(step, loss)
        return is_nonfinite

    def _handle(self, step: int, loss: float) -> None:
        """Raise an error for a loss, or skip it."""
        first = (step - 1) * self._batch_size
        samples = f"samples {first} to {first + self._batch_size - 1}"
        problem = f"the loss of step {step} is {loss} ({samples})"
        advice = "lower optimizer.lr, choose a clipping, or another trainer.precision"
        if self._nonfinite_loss == "fail":
            raise NonfiniteLossError(
                f"{problem}; {advice}, or skip such steps by trainer.nonfinite_loss=skip"
            )
        if not are_finite(self._module):
            raise NonfiniteLossError(f"{problem}, because weights are NaN or infinite; {advice}")
        self.skipped += 1
        log.warning("%s: skipped", problem)

    def state_dict(self) -> dict[str, Any]:
        """Return what this callback needs to resume.

        Raises:
            NonfiniteLossError: see :meth:`on_before_backward`; then no state is saved.
        """
        self._check()
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a state."""
        self.skipped = state_dict["skipped"]


def are_finite(module: nn.Module) -> bool:
    """Return whether no parameter is NaN or infinite."""
    finite = [parameter.isfinite().all() for parameter in module.parameters()]
    return bool(torch.stack(finite).all())
