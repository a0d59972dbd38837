"""The training curves as CSV files: see :data:`drnsr.training.scalars.CURVES`."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from drnsr.atomic import write_text
from drnsr.training.processes import ends_step, mean_over_processes
from drnsr.training.scalars import TRAINING_CURVE, VAL_PSNR, VALIDATION_CURVE, Curve, Scalar


class Curves(L.Callback):
    """Keeps the mean loss of every ``log_every`` steps, and every validation PSNR.

    A loss is the mean over all processes and all batches of a step. The same points go to the
    loggers of the run. The files hold only what the same training gives
    again: no time of day, no run id.

    Args:
        log_every: number of steps between two points of the loss.
        terms: further scalars of each step, by name in its outputs: columns beside the loss.
    """

    def __init__(self, *, log_every: int, terms: Sequence[Scalar] = ()) -> None:
        self._log_every = log_every
        self._names = [scalar.name for scalar in terms]
        self._training = replace(TRAINING_CURVE, scalars=(*TRAINING_CURVE.scalars, *terms))
        self._window: list[Tensor] = []  # since the last point, on the training's device
        self._step: list[Tensor] = []  # the parts of a step that accumulates gradients
        self._trainer: L.Trainer | None = None
        self._before = torch.empty(0)  # the part of the window from before a resumed state
        self._loss: list[tuple[float, ...]] = []
        self._psnr: list[tuple[int, float]] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the points from before a resumed state again: the loggers may be of a new run."""
        for curve, rows in ((self._training, self._loss), (VALIDATION_CURVE, self._psnr)):
            for row in rows:
                self._log(trainer, curve, row)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,  # noqa: ANN401 (Lightning's own signature)
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Keep the loss and the learning rate."""
        self._trainer = trainer
        self._step.append(self._scalars(outputs))
        if not ends_step(trainer, batch_idx):
            return
        # Lightning has divided each by their number, so that the gradients add up to the mean's.
        self._window.append(
            self._step[0] if len(self._step) == 1 else torch.stack(self._step).sum(dim=0)
        )
        self._step.clear()
        if trainer.global_step % self._log_every == 0:
            losses = self._losses()
            taken = losses.reshape(len(losses), -1)[:, 0].isfinite()  # no skipped steps
            loss, *terms = losses[taken].mean(dim=0).reshape(-1).tolist()
            rate = float(trainer.optimizers[0].param_groups[0]["lr"])
            self._window.clear()
            self._before = torch.empty(0)
            self._loss.append((trainer.global_step, loss, rate, *terms))
            self._log(trainer, self._training, self._loss[-1])

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keep the PSNR."""
        psnr = float(trainer.callback_metrics[VAL_PSNR.name])
        self._psnr.append((trainer.global_step, psnr))
        self._log(trainer, VALIDATION_CURVE, self._psnr[-1])

    def state_dict(self) -> dict[str, Any]:
        """Return what this callback needs to resume."""
        return {"window": self._losses(), "loss": self._loss, "psnr": self._psnr}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a state."""
        self._before = state_dict["window"]
        self._loss, self._psnr = state_dict["loss"], state_dict["psnr"]

    def _scalars(self, outputs: Any) -> Tensor:  # noqa: ANN401
        """Return the loss of a batch, (), or with its terms, (1 + terms,)."""
        loss: Tensor = outputs["loss"]
        if not self._names:
            return loss
        return torch.stack([loss, *(outputs[name] for name in self._names)])

    def _losses(self) -> Tensor:
        """Return the losses of the window, which one transfer brings to the CPU."""
        if not self._window or self._trainer is None:
            return self._before
        losses = mean_over_processes(self._trainer, torch.stack(self._window))
        return torch.cat([self._before, losses.cpu()])

    @staticmethod
    def _log(trainer: L.Trainer, curve: Curve, row: tuple[float, ...]) -> None:
        """Log a point: a step, and the values there."""
        step, *values = row
        names = [scalar.name for scalar in curve.scalars]
        point = dict(zip(names, values, strict=True))
        for logger in trainer.loggers:
            logger.log_metrics(point, step=int(step))

    def write(self, folder: Path) -> None:
        """Write both curves into ``folder``."""
        _write_csv(folder, self._training, self._loss)
        _write_csv(folder, VALIDATION_CURVE, self._psnr)


def _write_csv(folder: Path, curve: Curve, rows: list[Any]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(curve.header)
    writer.writerows(rows)
    write_text(folder / curve.file, buffer.getvalue())
