"""The Lightning module for networks that are trained on a loss between pixels."""

from collections.abc import Callable, Iterable

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics.functional.image import peak_signal_noise_ratio

from drnsr.imaging.colour import luma_planes
from drnsr.networks import Network

Batch = tuple[Tensor, Tensor]


class PixelTraining(L.LightningModule):
    """Trains a network to turn LR into HR under a loss on their pixels.

    Batches are pairs of uint8 RGB (N, 3, h, w) and (N, 3, scale*h, scale*w); a network on luma sees
    and is compared on their luma, not rounded. Each batch may have a scale of its own. Callbacks
    find the metrics ``train_loss``, of one step, and ``val_psnr``: in dB, on RGB rounded to uint8
    or on the luma, the mean over the validation crops.
    :class:`drnsr.training.curves.Curves` hands them to the loggers.

    Args:
        network: what is trained.
        loss: of (prediction, target), both 0..1.
        optimizer: makes one from the parameters.
        scheduler: makes one from the optimizer; it is stepped after every training step.
        channels_last: the memory layout in which CPUs and tensor cores convolve fastest.
        clipping: clips the gradients of the optimizer's parameters before each step; None does not.
    """

    def __init__(
        self,
        network: Network,
        *,
        loss: nn.Module,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        scheduler: Callable[[Optimizer], LRScheduler],
        channels_last: bool,
        clipping: Callable[[Optimizer], None] | None = None,
    ) -> None:
        super().__init__()
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        self.network: Network = network.to(memory_format=self._layout)  # type: ignore[call-overload]
        self._loss = loss
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._clipping = clipping

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of one batch."""
        lr, hr = (self._planes(pixels) for pixels in batch)
        loss: Tensor = self._loss(self._enlarge(lr, hr), hr)
        self.log("train_loss", loss, logger=False)
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Measure one validation crop."""
        lr, hr = (self._planes(pixels) for pixels in batch)
        sr = self._enlarge(lr, hr)
        if self.network.descriptor.colour == "RGB":
            sr = sr.mul(255).round().clamp(0, 255) / 255
        psnr = peak_signal_noise_ratio(sr, hr, data_range=1.0)
        self.log("val_psnr", psnr, logger=False, batch_size=1)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer over the network's parameters, its schedule stepped with it."""
        optimizer = self._optimizer(self.network.parameters())
        scheduler = self._scheduler(optimizer)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Called by Lightning between the gradients, unscaled, and the step."""
        if self._clipping is not None:
            self._clipping(optimizer)

    def _enlarge(self, lr: Tensor, hr: Tensor) -> Tensor:
        """The network's pictures; whatever it computes in, they are compared in that of ``hr``."""
        weights = next(self.network.parameters()).dtype
        return self.network.enlarge(lr.to(weights), hr.shape[-1] // lr.shape[-1]).to(hr.dtype)

    def _planes(self, pixels: Tensor) -> Tensor:
        """What the network works on, 0..1, in fp32 or, for weights of fp64, in that."""
        rgb = pixels.to(torch.float64 if self.dtype == torch.float64 else torch.float32) / 255
        planes = rgb if self.network.descriptor.colour == "RGB" else luma_planes(rgb)
        return planes.contiguous(memory_format=self._layout)
