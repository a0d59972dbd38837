"""After SIGTERM or Ctrl-C, finish the step, write the training state and end the run."""

import os
import signal
import sys
from contextlib import ExitStack
from typing import Any

import lightning as L

from drnsr.errors import SignalError
from drnsr.signals import end_at_next_signal, handle_signals
from drnsr.training.callbacks.checkpoint import TrainingStateCheckpoint
from drnsr.training.processes import any_process, launched_process, starts_step


class Interruption(L.Callback):
    """Ends a run between two steps after a signal; a second signal ends the process at once.

    Args:
        checkpoints: writes the training state.
    """

    def __init__(self, checkpoints: TrainingStateCheckpoint) -> None:
        self._checkpoints = checkpoints
        self._received: int | None = None
        self._is_shown = True
        self._parent = os.getppid()
        self._handlers = ExitStack()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Handle the signals here; Lightning's own handler exits with code 0 after SIGTERM."""
        self._is_shown = trainer.is_global_zero
        self._handlers.enter_context(handle_signals(self._note))

    def _note(self, number: int) -> None:
        self._received = number
        end_at_next_signal()
        name = signal.Signals(number).name
        if self._is_shown:
            print(f"training: {name}; ending after this step (again: at once)", file=sys.stderr)

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401 (Lightning's own signature)
        batch_idx: int,
    ) -> None:
        """Write the training state and end the run, if a signal has come to one of the processes.

        Raises:
            SignalError: if a signal has come; in all processes before the same step.
        """
        if not starts_step(trainer, batch_idx):
            return
        # The launcher may have been killed, and could not tell its processes.
        is_orphan = launched_process() is not None and os.getppid() != self._parent
        if not any_process(trainer, self._received is not None or is_orphan):
            return
        self._checkpoints.write(trainer)
        number = self._received or signal.SIGTERM  # another process may have got it
        name = signal.Signals(number).name
        raise SignalError(
            f"{name} after step {trainer.global_step} of {trainer.max_steps};"
            " the same command goes on from there",
            number,
        )

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Restore the earlier handlers."""
        self._handlers.close()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Restore the earlier handlers."""
        self._handlers.close()
