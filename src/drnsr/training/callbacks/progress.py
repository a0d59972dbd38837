"""The progress bar of a training run."""

import time
from datetime import timedelta
from typing import Any

import lightning as L
from rich.progress import TextColumn
from torch import Tensor

from drnsr.terminal import Bars, CroppedText
from drnsr.training.scalars import TRAIN_LOSS, VAL_PSNR

_REFRESH_SECONDS = 0.2


class TrainingProgress(L.Callback):
    """A progress bar with step, loss, validation PSNR, samples per second and remaining time.

    Lightning's own bars count epochs and batches, but a run here is a single pass. If the output is
    not a terminal, each validation prints a line instead. Of several processes, the first one shows
    the bar, and the loss of its part of the batch.

    Args:
        name: of the training, before its lines.
    """

    def __init__(self, name: str = "training") -> None:
        self._name = name
        self._bar = Bars(
            TextColumn("{task.completed}/{task.total} steps"),
            after=[CroppedText("figures")],
            has_last_line=False,
        )
        self._task = self._bar.add_task(name, total=None, figures="")
        self._shown_at = 0.0
        self._loss: Tensor | None = None
        self._samples = 0
        self._start = 0.0
        self._first_step = 0
        self._seconds_before = 0.0  # the training time before the run was resumed

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the bar."""
        self._bar.update(self._task, total=trainer.max_steps)
        if trainer.is_global_zero:
            self._bar.start()
        self._start, self._first_step = time.monotonic(), trainer.global_step

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
        if trainer.is_global_zero and not self._bar.is_shown:
            step = f"step {trainer.global_step}/{trainer.max_steps}"
            texts = (f"{self._name}: {step}", self._metrics_text(trainer), self._time_left(trainer))
            line = "  ".join(filter(None, texts))
            self._bar.console.print(line, highlight=False, soft_wrap=True)

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
        return self._bar.is_shown and trainer.is_global_zero

    def _time_left(self, trainer: L.Trainer) -> str:
        done, left = trainer.global_step - self._first_step, trainer.max_steps - trainer.global_step
        if done <= 0 or left <= 0:
            return ""
        seconds = (time.monotonic() - self._start) / done * left
        return f"{timedelta(seconds=round(seconds))} left"

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
