"""Losses between pixels that torch does not have."""

import torch
from torch import Tensor, nn


class Charbonnier(nn.Module):
    """The mean of sqrt(d^2 + eps^2) over all differences d: L1 without its corner at zero.

    Lai et al. 2017 (LapSRN, its loss function), after Charbonnier et al. 1994.

    Args:
        eps: where the curve turns from a parabola into straight lines, in units of the pixels.
    """

    def __init__(self, eps: float = 1e-3) -> None:
        super().__init__()
        self._eps = eps

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape to a scalar."""
        return torch.sqrt((prediction - target).square() + self._eps**2).mean()
