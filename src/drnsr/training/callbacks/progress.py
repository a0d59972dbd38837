"""The progress bar of a training run."""

import sys
import time
from typing import Any

import lightning as L
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from drnsr.training.scalars import TRAIN_LOSS, VAL_PSNR

_REFRESH_SECONDS = 0.2


class TrainingProgress(L.Callback):
    """A progress bar with step, loss, validation PSNR, samples per second and remaining time.

    Lightning's own bars count epochs and batches, but a run here is a single pass. If the output is
    not a terminal, each validation prints a line instead. Of several processes, the first one shows
    the bar, and the loss of its part of the batch.
    """

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total} steps"),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=None, figures="")
        self._shown_at = 0.0
        self._loss: Tensor | None = None
        self._samples = 0
        self._start = 0.0
        self._seconds_before = 0.0  # the training time before the run was resumed

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the bar."""
        self._bar.update(self._task, total=trainer.max_steps)
        if trainer.is_global_zero:
            self._bar.start()
        self._start = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,  # noqa: ANN401 (Lightning's own signature)
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Update the bar."""
        self._samples += len(batch[0]) * trainer.world_size
        # Lightning has divided it by the number of batches that make a step.
        self._loss = outputs["loss"] * trainer.accumulate_grad_batches
        # Not in every step: reading the loss waits for the device.
        if self._is_bar(trainer) and time.monotonic() >= self._shown_at + _REFRESH_SECONDS:
            self._show(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Print a line if there is no bar."""
        if trainer.is_global_zero and not self._console.is_terminal:
            step = f"step {trainer.global_step}/{trainer.max_steps}"
            self._console.print(f"training: {step}  {self._metrics_text(trainer)}", highlight=False)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Show the finished bar."""
        if self._is_bar(trainer):
            self._show(trainer)
        self._bar.stop()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Stop the bar before the error is printed."""
        self._bar.stop()

    @property
    def seconds(self) -> float:
        """The training time of the run so far, including that before it was resumed."""
        return self._seconds_before + time.monotonic() - self._start

    def state_dict(self) -> dict[str, Any]:
        """Return what this callback needs to resume."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a state."""
        self._seconds_before = state_dict["seconds"]

    def _is_bar(self, trainer: L.Trainer) -> bool:
        return self._console.is_terminal and trainer.is_global_zero

    def _show(self, trainer: L.Trainer) -> None:
        self._bar.update(
            self._task, completed=trainer.global_step, figures=self._metrics_text(trainer)
        )
        self._shown_at = time.monotonic()

    def _metrics_text(self, trainer: L.Trainer) -> str:
        metrics = trainer.callback_metrics
        figures = (
            [f"{TRAIN_LOSS.label} {TRAIN_LOSS.text(float(self._loss))}"]
            if self._loss is not None
            else []
        )
        if VAL_PSNR.name in metrics:
            figures.append(f"{VAL_PSNR.label} {VAL_PSNR.text(float(metrics[VAL_PSNR.name]))}")
        seconds = time.monotonic() - self._start
        if self._samples and seconds > 0:
            figures.append(f"{self._samples / seconds:.0f} samples/s")
        return "  ".join(figures)
