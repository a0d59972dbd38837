"""An exponential moving average (EMA) of the weights, which is validated and saved."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class EMA(WeightAveraging):
    """Lightning's weight averaging, with a decay that warms up.

    With a fixed decay of 0.99 the average would still contain 5 % of the initial weights after 300
    steps; so the n-th update uses min(decay, (1 + n) / (10 + n)). Buffers are copied, because they
    are constants, and averaging would add rounding errors.

    Args:
        decay: weight of the previous average, 0 < decay < 1.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(use_buffers=False)
        self._decay = decay
        self._averages: list[Tensor] = []
        self._weights: list[Tensor] = []
        self._copies: list[Tensor] = []
        self._buffers: list[Tensor] = []

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Create the average on the device of the training."""
        self._device = trainer.strategy.root_device  # Lightning moves the module there later
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            # The counter is on the CPU: reading it from a device would wait for all its work.
            self._average_model.n_averaged = self._average_model.n_averaged.cpu()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """List the parameters once: walking a network takes as long as averaging it."""
        assert self._average_model is not None
        average = self._average_model.module
        self._averages, self._weights = list(average.parameters()), list(pl_module.parameters())
        self._copies, self._buffers = list(average.buffers()), list(pl_module.buffers())

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,  # noqa: ANN401 (Lightning's own signature)
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Update all averages in one call; one by one takes 3 % of a small network's step."""
        if trainer.global_step <= self._latest_update_step:
            return
        assert self._average_model is not None
        n = int(self._average_model.n_averaged)
        with torch.no_grad():
            if n == 0:
                torch._foreach_copy_(self._averages, self._weights)
            else:
                update = get_ema_multi_avg_fn(min(self._decay, (1 + n) / (10 + n)))  # type: ignore[no-untyped-call]
                update(self._averages, self._in_fp32(), n)
            if self._buffers:
                torch._foreach_copy_(self._copies, self._buffers)
        self._average_model.n_averaged += 1
        self._latest_update_step = trainer.global_step

    def _in_fp32(self) -> list[Tensor]:
        """Return the weights in the type of the averages: fp32, because bf16 would not change."""
        if self._weights[0].dtype == self._averages[0].dtype:
            return self._weights
        return [w.to(a.dtype) for w, a in zip(self._weights, self._averages, strict=True)]
