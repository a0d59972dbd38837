"""The Lightning module for networks that are trained on a loss between pixels."""

from collections.abc import Callable, Iterable

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics.functional.image import peak_signal_noise_ratio

from drnsr.networks import Network

Batch = tuple[Tensor, Tensor]


class PixelTraining(L.LightningModule):
    """Trains a network to turn LR into HR under a loss on their pixels.

    Batches are pairs of uint8 (N, 3, h, w) and (N, 3, scale*h, scale*w). Callbacks find the
    metrics ``train_loss``, of one step, and ``val_psnr``: RGB, in dB, rounded to uint8, the mean
    over the validation crops. :class:`drnsr.training.curves.Curves` hands them to the loggers.

    Args:
        network: what is trained.
        loss: of (prediction, target), both 0..1.
        optimizer: makes one from the parameters.
        scheduler: makes one from the optimizer; it is stepped after every training step.
        channels_last: the memory layout in which CPUs and tensor cores convolve fastest.
    """

    def __init__(
        self,
        network: Network,
        *,
        loss: nn.Module,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        scheduler: Callable[[Optimizer], LRScheduler],
        channels_last: bool,
    ) -> None:
        super().__init__()
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self._layout)  # type: ignore[call-overload]
        self._loss = loss
        self._optimizer = optimizer
        self._scheduler = scheduler

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of one batch."""
        lr, hr = (self._to_unit_range(pixels) for pixels in batch)
        loss: Tensor = self._loss(self.network(lr), hr)
        self.log("train_loss", loss, logger=False)
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Measure one validation crop."""
        lr, hr = batch
        sr = self.network(self._to_unit_range(lr))
        pixels = sr.float().mul(255).round().clamp(0, 255)
        psnr = peak_signal_noise_ratio(pixels, hr.float(), data_range=255.0)
        self.log("val_psnr", psnr, logger=False, batch_size=1)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer over the network's parameters, its schedule stepped with it."""
        optimizer = self._optimizer(self.network.parameters())
        scheduler = self._scheduler(optimizer)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _to_unit_range(self, pixels: Tensor) -> Tensor:
        return (pixels.float() / 255).contiguous(memory_format=self._layout)
