"""Training against a discriminator: ESRGAN's second stage (Wang et al. 2018, section 3)."""

from collections.abc import Callable, Iterable
from typing import cast

import torch
import torch.nn.functional as F
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from drnsr.networks import Network
from drnsr.training.module import Batch, SRModule
from drnsr.training.perceptual import PerceptualLoss
from drnsr.training.scalars import TRAIN_LOSS


def relativistic_average_loss(
    upper: Tensor, lower: Tensor, *, constant_averages: bool = False
) -> Tensor:
    """How far ``upper`` is from being judged more realistic than the average of ``lower``.

    With real pictures as ``upper`` and made ones as ``lower`` it is the discriminator's loss, the
    other way round the generator's (equations 1 and 2 of the paper). The equations add their two
    expectations; the authors' code takes the mean of them, and the paper's weight 5e-3 is that
    code's, so this does too.

    Args:
        upper: what the discriminator says, before a sigmoid, of those that should seem more real.
        lower: the same of the others.
        constant_averages: whether the two averages give no gradient.

    Returns:
        A scalar; log 2 where the two cannot be told apart.
    """
    upper, lower = upper.float(), lower.float()
    # softplus(-x) is -log sigmoid(x), and softplus(x) is -log(1 - sigmoid(x)), without overflow.
    upper_mean, lower_mean = upper.mean(), lower.mean()
    if constant_averages:
        upper_mean, lower_mean = upper_mean.detach(), lower_mean.detach()
    above = F.softplus(lower_mean - upper).mean()
    below = F.softplus(lower - upper_mean).mean()
    return (above + below) / 2


class GANModule(SRModule):
    """Trains a network, and a discriminator that tells its pictures from real ones.

    A step is one step of each, and counts once: the network's first, then the discriminator's on
    the same pictures. To the discriminator's step the averages that it compares with are constants,
    as in the authors' code (BasicSR's ``ESRGANModel``); the paper says nothing of it.
    ``train_loss`` is the network's weighted loss; its unweighted terms are ``train_pixel``,
    ``train_perceptual`` and ``train_adversarial``, and the discriminator's loss is
    ``train_discriminator``.

    Args:
        network: the generator, which is what validation measures and a run keeps.
        discriminator: of (N, 3, H, W) pictures of 0..1; a number for each, or for each part of
            each, before a sigmoid.
        loss: the pixel term, of (prediction, target), both 0..1.
        perceptual: the perceptual term; None where its weight is 0.
        pixel_weight: of the pixel term in the network's loss (equation 3: 1e-2).
        perceptual_weight: of the perceptual term (equation 3: 1).
        adversarial_weight: of the adversarial term (equation 3: 5e-3).
        optimizer: makes one from parameters; called for each of the two networks.
        scheduler: makes one from an optimizer; called for each of the two.
        clipping: of the gradients of an optimizer's parameters; called for each of the two.
        channels_last: see :class:`SRModule`.
    """

    def __init__(
        self,
        network: Network,
        discriminator: nn.Module,
        *,
        loss: nn.Module,
        perceptual: PerceptualLoss | None,
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
        self._pixel_weight = pixel_weight
        self._perceptual_weight = perceptual_weight
        self._adversarial_weight = adversarial_weight

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """An optimizer and its schedule for the network, then the same for the discriminator."""
        trained = (self.network, self.discriminator)
        optimizers = [self._made(module.parameters()) for module in trained]
        return optimizers, [self._scheduler(optimizer) for optimizer in optimizers]

    def on_fit_start(self) -> None:
        """Bring the perceptual loss, which is no part of this module, to its device."""
        if self._perceptual is not None:
            is_fp64 = self.dtype == torch.float64
            self._perceptual.to(self.device, torch.float64 if is_fp64 else torch.float32)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """One step of the network and one of the discriminator; the network's loss."""
        lr, hr = (self._planes(pixels) for pixels in batch)
        of_network, of_discriminator = cast(list[LightningOptimizer], self.optimizers())
        sr = self._upscale(lr, hr)
        self.toggle_optimizer(of_network)  # the discriminator gets no gradients meanwhile
        loss = self._network_loss(sr, hr)
        of_network.zero_grad()
        self.manual_backward(loss)
        of_network.step()
        self.untoggle_optimizer(of_network)

        of_discriminator.zero_grad()
        self.manual_backward(self._discriminator_loss(sr.detach(), hr))
        # Lightning counts a training step whenever one of its own optimizers takes one; this goes
        # past the counter, but not past the precision's loss scaling.
        self.trainer.strategy.optimizer_step(of_discriminator.optimizer, lambda: None)
        for scheduler in cast(list[LRScheduler], self.lr_schedulers()):
            scheduler.step()
        return loss.detach()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip: where steps are taken by hand, Lightning leaves it to the module."""
        self.configure_gradient_clipping(optimizer)

    def _network_loss(self, sr: Tensor, hr: Tensor) -> Tensor:
        pixel = self._loss(sr, hr)
        adversarial = relativistic_average_loss(self._judge(sr), self._judge(hr))
        loss: Tensor = self._pixel_weight * pixel + self._adversarial_weight * adversarial
        self._note("train_pixel", pixel)
        self._note("train_adversarial", adversarial)
        if self._perceptual is not None:
            perceptual = self._perceptual(sr, hr)
            loss = loss + self._perceptual_weight * perceptual
            self._note("train_perceptual", perceptual)
        self._note(TRAIN_LOSS.name, loss)
        return loss

    def _discriminator_loss(self, sr: Tensor, hr: Tensor) -> Tensor:
        real, fake = self._judge(hr), self._judge(sr)
        loss = relativistic_average_loss(real, fake, constant_averages=True)
        self._note("train_discriminator", loss)
        return loss

    def _judge(self, pictures: Tensor) -> Tensor:
        """What the discriminator says, in the type of its weights."""
        judged: Tensor = self.discriminator(
            pictures.to(next(self.discriminator.parameters()).dtype)
        )
        return judged

    def _note(self, name: str, value: Tensor) -> None:
        self.log(name, value, logger=False)
