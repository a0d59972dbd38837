"""After SIGTERM or Ctrl-C, finish the step, write the training state and end the run."""

import signal
import sys
from contextlib import ExitStack
from typing import Any

import lightning as L

from drnsr.errors import SignalError
from drnsr.signals import end_at_next_signal, handle_signals
from drnsr.training.callbacks.checkpoint import TrainingStateCheckpoint


class Interruption(L.Callback):
    """Ends a run between two steps after a signal; a second signal ends the process at once.

    Args:
        checkpoints: writes the training state.
    """

    def __init__(self, checkpoints: TrainingStateCheckpoint) -> None:
        self._checkpoints = checkpoints
        self._received: int | None = None
        self._handlers = ExitStack()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Handle the signals here; Lightning's own handler exits with code 0 after SIGTERM."""
        self._handlers.enter_context(handle_signals(self._note))

    def _note(self, number: int) -> None:
        self._received = number
        end_at_next_signal()
        name = signal.Signals(number).name
        print(f"training: {name}; ending after this step (again: at once)", file=sys.stderr)

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401 (Lightning's own signature)
        batch_idx: int,
    ) -> None:
        """Write the training state and end the run, if a signal has come.

        Raises:
            SignalError: if a signal has come.
        """
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
        """Restore the earlier handlers."""
        self._handlers.close()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Restore the earlier handlers."""
        self._handlers.close()
