"""Ends a training whose validations are poor beside those of the study's other trials."""

from collections.abc import Callable

import lightning as L

from drnsr.errors import PrunedError
from drnsr.training.scalars import VAL_PSNR


class Pruning(L.Callback):
    """Reports each validation, and ends the training if the answer is yes.

    Args:
        report: takes the PSNR in dB and the step, and returns whether the training is poor.
    """

    def __init__(self, report: Callable[[float, int], bool]) -> None:
        self._report = report

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Report.

        Raises:
            PrunedError: to end the training; not after the last step.
        """
        step = trainer.global_step
        psnr = float(trainer.callback_metrics[VAL_PSNR.name])
        is_last = step == trainer.max_steps or trainer.should_stop  # by early stopping
        if self._report(psnr, step) and not is_last:
            raise PrunedError(f"{VAL_PSNR.text(psnr)} after step {step} is poor beside the others")
