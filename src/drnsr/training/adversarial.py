"""The adversarial losses of a network and of the discriminator that it is trained against."""

from collections.abc import Callable
from typing import Literal, Protocol

import torch.nn.functional as F
from torch import Tensor

from drnsr.training.processes import mean_with_gradient

Judge = Callable[[Tensor], Tensor]
"""A discriminator: (N, 3, H, W), 0..1, to logits, larger for pictures that seem real."""


class AdversarialLoss(Protocol):
    """What the network minimises and what the discriminator minimises; both are scalars."""

    def of_network(self, judge: Judge, sr: Tensor, hr: Tensor) -> Tensor:
        """Return the network's loss of its pictures ``sr`` beside the real ones ``hr``."""

    def of_discriminator(self, judge: Judge, sr: Tensor, hr: Tensor) -> Tensor:
        """Return the discriminator's loss of the same pictures."""


class Vanilla:
    """The logistic loss of each picture by itself (Goodfellow et al. 2014), as in Real-ESRGAN.

    The network minimises -log D(sr), and the discriminator -log D(hr) - log(1 - D(sr)), which is
    2 log 2 if it cannot tell them apart.
    """

    def of_network(self, judge: Judge, sr: Tensor, hr: Tensor) -> Tensor:
        """See :class:`AdversarialLoss`; the real pictures do not matter."""
        return F.softplus(-judge(sr).float()).mean()

    def of_discriminator(self, judge: Judge, sr: Tensor, hr: Tensor) -> Tensor:
        """See :class:`AdversarialLoss`."""
        real, fake = judge(hr).float(), judge(sr).float()
        return F.softplus(-real).mean() + F.softplus(fake).mean()


class RelativisticAverage:
    """Whether real pictures seem more real than the average of the others, as in ESRGAN.

    In the discriminator's loss no gradients flow through the averages, as in the authors' code
    (BasicSR's ``ESRGANModel``); the paper does not say.
    """

    def of_network(self, judge: Judge, sr: Tensor, hr: Tensor) -> Tensor:
        """See :class:`AdversarialLoss`."""
        return relativistic_average_loss(judge(sr), judge(hr))

    def of_discriminator(self, judge: Judge, sr: Tensor, hr: Tensor) -> Tensor:
        """See :class:`AdversarialLoss`."""
        real, fake = judge(hr), judge(sr)
        return relativistic_average_loss(real, fake, constant_averages=True)


def make_adversarial_loss(name: Literal["relativistic", "vanilla"]) -> AdversarialLoss:
    """Return the loss with a name of the configuration, ``gan.adversarial``."""
    return RelativisticAverage() if name == "relativistic" else Vanilla()


def relativistic_average_loss(
    upper: Tensor, lower: Tensor, *, constant_averages: bool = False
) -> Tensor:
    """Compute the relativistic average loss (Wang et al. 2018, equations 1 and 2).

    With real pictures as ``upper`` and generated ones as ``lower`` it is the discriminator's loss;
    the other way round it is the generator's. The equations add two expectations. This takes their
    mean, as the authors' code does, because the paper's weight 5e-3 is that code's.

    Args:
        upper: logits of the pictures that should seem more real.
        lower: logits of the others.
        constant_averages: whether no gradients flow through the two averages.

    Returns:
        A scalar; log 2 if the discriminator cannot tell the pictures apart.
    """
    upper, lower = upper.float(), lower.float()
    # softplus(-x) is -log sigmoid(x), and softplus(x) is -log(1 - sigmoid(x)), without overflow.
    upper_mean = mean_with_gradient(upper.mean())  # over the batch of all processes
    lower_mean = mean_with_gradient(lower.mean())
    if constant_averages:
        upper_mean, lower_mean = upper_mean.detach(), lower_mean.detach()
    above = F.softplus(lower_mean - upper).mean()
    below = F.softplus(lower - upper_mean).mean()
    return (above + below) / 2
