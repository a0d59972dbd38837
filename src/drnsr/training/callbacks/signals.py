"""SIGTERM and Ctrl-C: the step is finished, the state is written, and the process leaves."""

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import lightning as L

from drnsr.errors import SignalError
from drnsr.training.callbacks.checkpoint import Checkpoints

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_Handler = Callable[[int, FrameType | None], Any] | int | None


class Interruption(L.Callback):
    """Ends a run between two steps when a signal has come; a second one ends the process at once.

    Args:
        checkpoints: writes the state.
    """

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints
        self._received: int | None = None
        self._before: dict[int, _Handler] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take the signals over; Lightning's own handling would end SIGTERM with exit code 0."""
        self._before = {number: signal.getsignal(number) for number in _SIGNALS}
        for number in _SIGNALS:
            signal.signal(number, self._note)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._received = number
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        name = signal.Signals(number).name
        print(f"training: {name}; ending after this step (again: at once)", file=sys.stderr)

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401 (Lightning's own signature)
        batch_idx: int,
    ) -> None:
        """Write the state and leave, if a signal has come."""
        if self._received is None:
            return
        self._checkpoints.write(trainer)
        name = signal.Signals(self._received).name
        raise SignalError(
            f"{name} after step {trainer.global_step} of {trainer.max_steps};"
            " the same command goes on from there",
            self._received,
        )

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Give the signals back."""
        self._restore()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Give the signals back."""
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
