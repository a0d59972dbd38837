"""Training against a discriminator, as ESRGAN (Wang et al. 2018, section 3) and Real-ESRGAN do."""

from collections.abc import Callable, Iterable
from typing import cast

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from drnsr.networks import Network
from drnsr.training.adversarial import AdversarialLoss
from drnsr.training.module import Batch, SRModule
from drnsr.training.perceptual import PerceptualLoss
from drnsr.training.scalars import (
    ADVERSARIAL_TERM,
    DISCRIMINATOR_LOSS,
    PERCEPTUAL_TERM,
    PIXEL_TERM,
    Scalar,
)


class GANModule(SRModule):
    """Trains a network, and a discriminator that tells its pictures from real ones.

    A step counts once and is a step of the network, then one of the discriminator on the same
    pictures. The outputs of a step are the network's weighted loss and, by the names of
    :attr:`loss_terms`, its terms without their weights and the discriminator's loss.

    Args:
        network: the generator; validation measures it, and the run saves it.
        discriminator: takes (N, 3, H, W), 0..1, and returns a logit for each picture, or for each
            part of each.
        loss: the pixel term, a function of (prediction, target), both 0..1.
        perceptual: the perceptual term; None if its weight is 0.
        adversarial: the adversarial term, and the discriminator's loss.
        pixel_weight: weight of the pixel term in the network's loss (equation 3: 1e-2).
        perceptual_weight: weight of the perceptual term (equation 3: 1).
        adversarial_weight: weight of the adversarial term (equation 3: 5e-3).
        optimizer: makes an optimizer from parameters; called for each of the two networks.
        scheduler: makes a schedule from an optimizer; called for each of the two.
        clipping: as in :class:`SRModule`, for each of the two optimizers.
        channels_last: as in :class:`SRModule`.
    """

    def __init__(
        self,
        network: Network,
        discriminator: nn.Module,
        *,
        loss: nn.Module,
        perceptual: PerceptualLoss | None,
        adversarial: AdversarialLoss,
        pixel_weight: float,
        perceptual_weight: float,
        adversarial_weight: float,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        scheduler: Callable[[Optimizer], LRScheduler],
        clipping: Callable[[Optimizer], None] | None = None,
        channels_last: bool,
    ) -> None:
        super().__init__(
            network,
            loss=loss,
            optimizer=optimizer,
            scheduler=scheduler,
            clipping=clipping,
            channels_last=channels_last,
        )
        self.automatic_optimization = False
        self.discriminator = discriminator.to(memory_format=self._layout)  # type: ignore[call-overload]
        self._perceptual = perceptual
        self._adversarial = adversarial
        self._pixel_weight = pixel_weight
        self._perceptual_weight = perceptual_weight
        self._adversarial_weight = adversarial_weight

    @property
    def loss_terms(self) -> tuple[Scalar, ...]:
        """The terms of the network's loss, and the discriminator's loss."""
        perceptual = () if self._perceptual is None else (PERCEPTUAL_TERM,)
        return (PIXEL_TERM, *perceptual, ADVERSARIAL_TERM, DISCRIMINATOR_LOSS)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizers and schedules of the network and the discriminator."""
        trained = (self.network, self.discriminator)
        optimizers = [self._make_optimizer(module.parameters()) for module in trained]
        return optimizers, [self._scheduler(optimizer) for optimizer in optimizers]

    def on_fit_start(self) -> None:
        """Move the perceptual loss, which is not a submodule, to the device."""
        if self._perceptual is not None:
            is_fp64 = self.dtype == torch.float64
            self._perceptual.to(self.device, torch.float64 if is_fp64 else torch.float32)

    def training_step(  # type: ignore[override]
        self, batch: Batch, _: int
    ) -> dict[str, Tensor]:
        """Take a step of the network and one of the discriminator; return the losses by name."""
        lr, hr = (self._planes(pixels) for pixels in batch)
        network_optimizer, discriminator_optimizer = cast(
            list[LightningOptimizer], self.optimizers()
        )
        sr = self._upscale(lr, hr)
        self.toggle_optimizer(network_optimizer)  # no gradients for the discriminator meanwhile
        terms = self._network_terms(sr, hr)
        loss = self._weighted(terms)
        network_optimizer.zero_grad()
        self.manual_backward(loss)
        network_optimizer.step()
        self.untoggle_optimizer(network_optimizer)

        discriminator_optimizer.zero_grad()
        discriminator_loss = self._adversarial.of_discriminator(self._logits, sr.detach(), hr)
        self.manual_backward(discriminator_loss)
        # Lightning would count a step of its own optimizer as a training step. This call avoids the
        # counter, but not the loss scaling of the precision.
        self.trainer.strategy.optimizer_step(discriminator_optimizer.optimizer, lambda: None)
        for scheduler in cast(list[LRScheduler], self.lr_schedulers()):
            scheduler.step()
        losses = {"loss": loss, **terms, DISCRIMINATOR_LOSS.name: discriminator_loss}
        return {name: value.detach() for name, value in losses.items()}

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradients; with manual optimization Lightning leaves this to the module."""
        self.configure_gradient_clipping(optimizer)

    def _network_terms(self, sr: Tensor, hr: Tensor) -> dict[str, Tensor]:
        terms = {
            PIXEL_TERM.name: self._loss(sr, hr),
            ADVERSARIAL_TERM.name: self._adversarial.of_network(self._logits, sr, hr),
        }
        if self._perceptual is not None:
            terms[PERCEPTUAL_TERM.name] = self._perceptual(sr, hr)
        return terms

    def _weighted(self, terms: dict[str, Tensor]) -> Tensor:
        loss = self._pixel_weight * terms[PIXEL_TERM.name]
        loss = loss + self._adversarial_weight * terms[ADVERSARIAL_TERM.name]
        if PERCEPTUAL_TERM.name in terms:
            loss = loss + self._perceptual_weight * terms[PERCEPTUAL_TERM.name]
        return loss

    def _logits(self, pictures: Tensor) -> Tensor:
        """Run the discriminator in the type of its weights."""
        logits: Tensor = self.discriminator(
            pictures.to(next(self.discriminator.parameters()).dtype)
        )
        return logits
