"""The training curves, as two CSV files."""

import csv
import io
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from drnsr.atomic import write_text

LOSS_FILE = "training_loss.csv"
PSNR_FILE = "validation_psnr.csv"


class Curves(L.Callback):
    """Keeps the loss, as the mean over every ``log_every`` steps, and every validation PSNR.

    The same points go to the run's loggers. The files hold what the same training gives again, and
    nothing else: no clock, no run id.
    """

    def __init__(self, *, log_every: int) -> None:
        self._log_every = log_every
        self._window: list[Tensor] = []  # since the last point, on the training's device
        self._before = torch.empty(0)  # of the same window, from the state that was gone on from
        self._loss: list[tuple[int, float, float]] = []
        self._psnr: list[tuple[int, float]] = []

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,  # noqa: ANN401 (Lightning's own signature)
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Note the loss and the rate."""
        self._window.append(outputs["loss"])
        if trainer.global_step % self._log_every == 0:
            losses = self._losses()
            loss = float(losses[losses.isfinite()].mean())  # skipped steps have none
            rate = float(trainer.optimizers[0].param_groups[0]["lr"])
            self._window.clear()
            self._before = torch.empty(0)
            self._loss.append((trainer.global_step, loss, rate))
            self._log(trainer, {"train_loss": loss, "learning_rate": rate})

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note the PSNR."""
        psnr = float(trainer.callback_metrics["val_psnr"])
        self._psnr.append((trainer.global_step, psnr))
        self._log(trainer, {"val_psnr": psnr})

    def state_dict(self) -> dict[str, Any]:
        """What this callback must know to go on."""
        return {"window": self._losses(), "loss": self._loss, "psnr": self._psnr}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._before = state_dict["window"]
        self._loss, self._psnr = state_dict["loss"], state_dict["psnr"]

    def _losses(self) -> Tensor:
        """Of the window, brought to the CPU at once: each by itself would wait for the device."""
        if not self._window:
            return self._before
        return torch.cat([self._before, torch.stack(self._window).cpu()])

    @staticmethod
    def _log(trainer: L.Trainer, point: dict[str, float]) -> None:
        for logger in trainer.loggers:
            logger.log_metrics(point, step=trainer.global_step)

    def write(self, folder: Path) -> None:
        """Write both curves into ``folder``."""
        _write_csv(folder / LOSS_FILE, ("step", "loss", "learning_rate"), self._loss)
        _write_csv(folder / PSNR_FILE, ("step", "psnr_db"), self._psnr)


def _write_csv(path: Path, header: tuple[str, ...], rows: list[Any]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, buffer.getvalue())
