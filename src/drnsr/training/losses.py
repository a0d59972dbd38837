"""Pixel losses that torch does not have."""

import torch
from torch import Tensor, nn


class Charbonnier(nn.Module):
    """The mean of sqrt(d^2 + eps^2) over all differences d, a differentiable form of L1.

    The loss of LapSRN (Lai et al. 2017), after Charbonnier et al. 1994.

    Args:
        eps: the difference, in units of the pixels, around which the loss changes from quadratic to
            linear.
    """

    def __init__(self, eps: float = 1e-3) -> None:
        super().__init__()
        self._eps = eps

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape to a scalar."""
        return torch.sqrt((prediction - target).square() + self._eps**2).mean()
