"""The Lightning module for networks that are trained with a pixel loss."""

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
from drnsr.images.pixel_format import RGB8
from drnsr.networks import Network
from drnsr.training.device import compile_loss, is_capturable, make_optimizer
from drnsr.training.processes import in_sample_order
from drnsr.training.scalars import VAL_PSNR, Scalar

Batch = tuple[Tensor, Tensor]

# Networks with more parameter tensors are captured without compilation: torch's compiler would take
# minutes, and exceed Python's recursion limit.
_MAX_COMPILED_PARAMETERS = 500


class SRModule(L.LightningModule):
    """Trains a network to map LR to HR with a pixel loss.

    Batches are pairs of integers, (N, C, h, w) and (N, C, scale*h, scale*w); the scale may differ
    between batches. ``network.pixels`` says what their values are. A network on luma gets RGB, and
    is compared with its luma, not rounded. Callbacks
    find a step's loss in its outputs. The metric ``val_psnr`` is the mean PSNR in dB over the
    validation crops, on RGB rounded to uint8, or on luma or bands, not rounded; the peak is white.
    :class:`drnsr.training.callbacks.curves.Curves` passes both to the loggers.

    Args:
        network: the network to train.
        loss: a function of (prediction, target), both 0..1.
        optimizer: makes an optimizer from the parameters.
        scheduler: makes a schedule from the optimizer; it is stepped after every training step.
        channels_last: whether to use the memory layout in which CPUs and tensor cores convolve
            fastest.
        clipping: clips the gradients of an optimizer's parameters before each step; None for no
            clipping.
        compiled: whether the forward and backward pass of a step are compiled. Validation never is,
            because its pictures differ in size.
    """

    _black: Tensor
    _span: Tensor

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
        # Black of each band, and the distance of white from it.
        black, white = (torch.tensor(each)[..., None, None] for each in network.pixels.stored_range)
        self.register_buffer("_black", black, persistent=False)
        self.register_buffer("_span", white - black, persistent=False)
        self._loss = loss
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._clipping = clipping
        self._is_compiled = compiled
        self._step_loss: Callable[[Tensor, Tensor], Tensor] = self._batch_loss
        self._whole_step: CudaGraphed | None = None
        self._psnrs: list[Tensor] = []  # of this process's validation crops

    def on_train_start(self) -> None:
        """Compile or capture the step, as the device and the optimizer allow."""
        if not self._is_compiled:
            return
        (optimizer,) = self.trainer.optimizers
        captured = is_capturable(optimizer)
        if len(optimizer.param_groups[0]["params"]) <= _MAX_COMPILED_PARAMETERS:
            self._step_loss = compile_loss(self._batch_loss, graphs=not captured)
        if captured:
            self._whole_step = CudaGraphed(partial(self._take_step, optimizer))
            for group in optimizer.param_groups:  # a tensor, whose changes a graph sees
                group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32, device=self.device)

    @property
    def loss_terms(self) -> tuple[Scalar, ...]:
        """The scalars of each step beside the loss, by name in the outputs of a step."""
        return ()

    @property
    def described_network(self) -> Network:
        """The network that a state of the training describes."""
        return self.network

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of a batch; if whole steps are captured, take the step too."""
        if self._whole_step is not None:
            return self._whole_step(*batch)[0]
        if self._is_compiled:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
            self.zero_grad()  # the graph writes over the last gradients
        return self._step_loss(*batch)

    def _take_step(self, optimizer: Optimizer, lr: Tensor, hr: Tensor) -> tuple[Tensor]:
        """Take a whole step and return its loss; a CUDA graph replays it."""
        optimizer.zero_grad()
        loss = self._step_loss(lr, hr)
        with torch.autocast(self.device.type, enabled=False):
            loss.backward()  # type: ignore[no-untyped-call]
        # A NaN or infinite loss changes nothing; NonfiniteLossCheck reports it.
        optimizer.found_inf = (~loss.isfinite()).float()  # type: ignore[attr-defined]
        if self._clipping is not None:
            self._clipping(optimizer)
        optimizer.step()
        return (loss.detach(),)

    def backward(self, loss: Tensor, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        """Compute the gradients, unless :meth:`training_step` took the whole step."""
        if self._whole_step is None:
            super().backward(loss, *arguments, **named)

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Optimizer) -> None:
        """Zero the gradients, unless they belong to a graph."""
        if self._whole_step is None:
            super().optimizer_zero_grad(epoch, batch_idx, optimizer)

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """Take the step; a captured one is taken by the closure alone."""
        if self._whole_step is None:
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        elif optimizer_closure is not None:
            optimizer_closure()

    def _batch_loss(self, lr: Tensor, hr: Tensor) -> Tensor:
        lr, hr = self._planes(lr), self._planes(hr)
        loss: Tensor = self._loss(self._upscale(lr, hr), hr)
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Compute the PSNR of one validation crop."""
        lr, hr = (self._planes(pixels) for pixels in batch)
        sr = self._upscale(lr, hr)
        if self.network.pixels == RGB8 and self.network.descriptor.colour == "RGB":
            sr = sr.mul(255).round().clamp(0, 255) / 255
        psnr = peak_signal_noise_ratio(sr, hr, data_range=1.0)
        self._psnrs.append(psnr)

    def on_validation_epoch_end(self) -> None:
        """Record the mean PSNR, which is added up in the order of the crops in every process."""
        psnrs = in_sample_order(self.trainer, self._psnrs)
        self._psnrs = []
        self.log(VAL_PSNR.name, sum(psnrs) / len(psnrs), logger=False)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return an optimizer for the network's parameters, and its schedule."""
        optimizer = self._make_optimizer(self.network.parameters())
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
        """Clip the unscaled gradients; Lightning calls this before the step."""
        if self._clipping is not None:
            self._clipping(optimizer)

    def _make_optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        # A fused optimizer unscales the gradients inside its step: too late to clip them.
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            return self._optimizer(parameters)
        return make_optimizer(self.device, self._optimizer, parameters)

    def _upscale(self, lr: Tensor, hr: Tensor) -> Tensor:
        """Return the network's output for ``lr``, in the type of ``hr``."""
        dtype = next(self.network.parameters()).dtype
        return self.network.upscale(lr.to(dtype), hr.shape[-1] // lr.shape[-1]).to(hr.dtype)

    def _planes(self, pixels: Tensor) -> Tensor:
        """Convert prepared values to the network's channels, in fp32, or fp64 for fp64 weights.

        Black is 0 and white is 1.
        """
        black, white = self.network.pixels.stored_range
        planes = pixels.to(torch.float64 if self.dtype == torch.float64 else torch.float32)
        if isinstance(black, tuple) or isinstance(white, tuple):
            planes = (planes - self._black) / self._span
        else:
            planes = (planes - black if black != 0 else planes) / (white - black)
        if self.network.descriptor.colour == "Y":
            planes = luma_planes(planes)
        return planes.contiguous(memory_format=self._layout)
