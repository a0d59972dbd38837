"""A loss that is no number ends a run, or its step is left out, before it spoils the weights."""

import logging
import math
from typing import Any, Literal

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from drnsr.errors import UserError
from drnsr.training.device import can_skip

log = logging.getLogger("drnsr")

NonfiniteLoss = Literal["fail", "skip"]


class NonfiniteLossError(UserError):
    """A loss is infinite or no number; the message names the step and the samples."""


class NonfiniteLossCheck(L.Callback):
    """Looks at every loss; the states on disk are of steps that were looked at, and good ones.

    On a CPU before the gradients are taken. To look at a loss on another device is to wait for it,
    so there the losses of ``look_every`` steps are looked at together, and before a validation and
    a state. What steps after a bad one did to the weights is gone with the run, or ("skip") there
    was no such step: the optimizer's kernel itself leaves all as it is where the loss is bad. An
    optimizer without such a kernel has each loss looked at.

    Args:
        nonfinite_loss: "fail" ends the run; "skip" leaves the weights and the optimizer as they are
            for that step, names it, and counts it.
        look_every: steps.

    Attributes:
        skipped: how many losses were skipped, in the whole run.
    """

    def __init__(self, nonfinite_loss: NonfiniteLoss, look_every: int) -> None:
        self.skipped = 0
        self._bad_losses = nonfinite_loss
        self._look_every = look_every
        self._module: nn.Module = nn.Identity()
        self._waits = False  # whether losses are looked at later
        self._unseen: list[tuple[int, Tensor]] = []
        self._step = 0
        self._batch_size = 0
        self._bad = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Decide when to look."""
        self._module = pl_module
        self._waits = _is_slow_to_ask(pl_module.device) and (
            self._bad_losses == "fail" or all(map(can_skip, trainer.optimizers))
        )

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401 (Lightning's own signature)
        batch_idx: int,
    ) -> None:
        """Note which step it is, and how many samples it has."""
        self._step = trainer.global_step + 1
        self._batch_size = len(batch[0])

    def on_before_backward(
        self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor
    ) -> None:
        """Look at the loss, or keep it to be looked at.

        Raises:
            NonfiniteLossError: it is NaN or infinite, and may not be skipped or comes from weights
                that are.
        """
        self._unseen.append((self._step, loss.detach()))
        if not self._waits:
            self._bad = self._look()

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer
    ) -> None:
        """Let a step with a bad loss change nothing."""
        if self._waits and self._bad_losses == "skip":
            _, loss = self._unseen[-1]
            optimizer.found_inf = (~loss.isfinite()).float()  # type: ignore[attr-defined]
        elif self._bad:  # without any gradients, an optimizer does nothing
            optimizer.zero_grad(set_to_none=True)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,  # noqa: ANN401 (Lightning's own signature)
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Look at the losses, when it is time.

        Raises:
            NonfiniteLossError: see :meth:`on_before_backward`.
        """
        if trainer.global_step % self._look_every == 0:
            self._look()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Look at them before the best is kept."""
        self._look()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Look at the last ones before the model is kept."""
        self._look()

    def _look(self) -> bool:
        """Look at all that were not seen, brought here at once; whether the last one is bad."""
        if not self._unseen:
            return False
        steps, losses = zip(*self._unseen, strict=True)
        self._unseen.clear()
        bad = False
        for step, loss in zip(steps, torch.stack(losses).tolist(), strict=True):
            bad = not math.isfinite(loss)
            if bad:
                self._tell(step, loss)
        return bad

    def _tell(self, step: int, loss: float) -> None:
        first = (step - 1) * self._batch_size
        samples = f"samples {first} to {first + self._batch_size - 1}"
        bad = f"the loss of step {step} is {loss} ({samples})"
        advice = "lower optimizer.lr, choose a clipping, or another trainer.precision"
        if self._bad_losses == "fail":
            raise NonfiniteLossError(
                f"{bad}; {advice}, or skip such steps by trainer.nonfinite_loss=skip"
            )
        if not are_finite(self._module):
            raise NonfiniteLossError(f"{bad}, for weights are infinite or no numbers; {advice}")
        self.skipped += 1
        log.warning("%s: skipped", bad)

    def state_dict(self) -> dict[str, Any]:
        """What this callback must know to go on.

        Raises:
            NonfiniteLossError: see :meth:`on_before_backward`; then no state is written.
        """
        self._look()
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.skipped = state_dict["skipped"]


def are_finite(module: nn.Module) -> bool:
    """Whether every parameter is."""
    found = [parameter.isfinite().all() for parameter in module.parameters()]
    return bool(torch.stack(found).all())


def _is_slow_to_ask(device: torch.device) -> bool:
    return device.type != "cpu"
