"""The Lightning module for networks that are trained on a loss between pixels."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import lightning as L
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics.functional.image import peak_signal_noise_ratio

from drnsr.cuda_graphs import CudaGraphed
from drnsr.images.colour import luma_planes
from drnsr.networks import Network
from drnsr.training.device import compiled, is_capturable, made_for
from drnsr.training.scalars import VAL_PSNR

Batch = tuple[Tensor, Tensor]

# Parameters: over so many layers torch's compiler takes minutes, and recurses deeper than Python
# lets it. Such networks are captured as they are.
_TOO_DEEP = 500


class SRModule(L.LightningModule):
    """Trains a network to turn LR into HR under a loss on their pixels.

    Batches are pairs of uint8 RGB (N, 3, h, w) and (N, 3, scale*h, scale*w); a network on luma sees
    and is compared on their luma, not rounded. Each batch may have a scale of its own. Callbacks
    find a step's loss in its outputs, and the metric ``val_psnr``: in dB, on RGB rounded to uint8
    or on the luma, the mean over the validation crops.
    :class:`drnsr.training.callbacks.curves.Curves` hands them to the loggers.

    Args:
        network: what is trained.
        loss: of (prediction, target), both 0..1.
        optimizer: makes one from the parameters.
        scheduler: makes one from the optimizer; it is stepped after every training step.
        channels_last: the memory layout in which CPUs and tensor cores convolve fastest.
        clipping: clips the gradients of the optimizer's parameters before each step; None does not.
        compiled: whether a step's forward and backward pass are compiled; validation never is, for
            its pictures differ in size.
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
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        self.network: Network = network.to(memory_format=self._layout)  # type: ignore[call-overload]
        self._loss = loss
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._clipping = clipping
        self._is_compiled = compiled
        self._step_loss: Callable[[Tensor, Tensor], Tensor] = self._batch_loss
        self._whole_step: CudaGraphed | None = None

    def on_train_start(self) -> None:
        """Compile, for what is compiled depends on the device and on the optimizer."""
        if not self._is_compiled:
            return
        (optimizer,) = self.trainer.optimizers
        captured = is_capturable(optimizer)
        if len(optimizer.param_groups[0]["params"]) <= _TOO_DEEP:
            self._step_loss = compiled(self._batch_loss, graphs=not captured)
        if captured:
            self._whole_step = CudaGraphed(partial(self._take_step, optimizer))
            for group in optimizer.param_groups:  # where a graph sees it change
                group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32, device=self.device)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of one batch; where whole steps are captured, the step is taken too."""
        if self._whole_step is not None:
            return self._whole_step(*batch)[0]
        if self._is_compiled:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
            self.zero_grad()  # the last gradients lie where a graph is about to write
        return self._step_loss(*batch)

    def _take_step(self, optimizer: Optimizer, lr: Tensor, hr: Tensor) -> tuple[Tensor]:
        optimizer.zero_grad()
        loss = self._step_loss(lr, hr)
        with torch.autocast(self.device.type, enabled=False):
            loss.backward()  # type: ignore[no-untyped-call]
        # A bad loss changes nothing; NonfiniteLossCheck will find it.
        optimizer.found_inf = (~loss.isfinite()).float()  # type: ignore[attr-defined]
        if self._clipping is not None:
            self._clipping(optimizer)
        optimizer.step()
        return (loss.detach(),)

    def backward(self, loss: Tensor, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        """Take the gradients, unless the step is taken already."""
        if self._whole_step is None:
            super().backward(loss, *arguments, **named)

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Optimizer) -> None:
        """Forget the gradients, unless a graph holds them."""
        if self._whole_step is None:
            super().optimizer_zero_grad(epoch, batch_idx, optimizer)

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """Take the step, which may be all in the closure."""
        if self._whole_step is None:
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        elif optimizer_closure is not None:
            optimizer_closure()

    def _batch_loss(self, lr: Tensor, hr: Tensor) -> Tensor:
        lr, hr = self._planes(lr), self._planes(hr)
        loss: Tensor = self._loss(self._upscale(lr, hr), hr)
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Measure one validation crop."""
        lr, hr = (self._planes(pixels) for pixels in batch)
        sr = self._upscale(lr, hr)
        if self.network.descriptor.colour == "RGB":
            sr = sr.mul(255).round().clamp(0, 255) / 255
        psnr = peak_signal_noise_ratio(sr, hr, data_range=1.0)
        self.log(VAL_PSNR.name, psnr, logger=False, batch_size=1)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer over the network's parameters, its schedule stepped with it."""
        optimizer = self._made(self.network.parameters())
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

    def _made(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        # Fused ones take loss scaling off their gradients themselves: too late to clip them.
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            return self._optimizer(parameters)
        return made_for(self.device, self._optimizer, parameters)

    def _upscale(self, lr: Tensor, hr: Tensor) -> Tensor:
        """The network's pictures; whatever it computes in, they are compared in that of ``hr``."""
        weights = next(self.network.parameters()).dtype
        return self.network.upscale(lr.to(weights), hr.shape[-1] // lr.shape[-1]).to(hr.dtype)

    def _planes(self, pixels: Tensor) -> Tensor:
        """What the network works on, 0..1, in fp32 or, for weights of fp64, in that."""
        rgb = pixels.to(torch.float64 if self.dtype == torch.float64 else torch.float32) / 255
        planes = rgb if self.network.descriptor.colour == "RGB" else luma_planes(rgb)
        return planes.contiguous(memory_format=self._layout)
