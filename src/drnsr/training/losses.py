"""Pixel losses that torch does not have."""

import torch
from torch import Tensor, nn

from drnsr.images.colour import LUMA_WEIGHTS


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


class L1Frequency(nn.Module):
    """The mean absolute difference of pixels, of their Fourier transforms, and of the luma.

    The frequency term is that of MIMO-UNet (Cho et al. 2021) and its authors' code: the transform
    is not normalized, and real and imaginary parts are compared. The transform of an error grows
    with the square root of the number of pixels, and so does the term.

    Args:
        weight: of the frequency term.
        luma_weight: of the luma, on which tables measure; unless it is 0, pixels are RGB.
    """

    def __init__(self, weight: float = 0.05, luma_weight: float = 0.0) -> None:
        super().__init__()
        self._weight = weight
        self._luma_weight = luma_weight

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape, (N, C, H, W), to a scalar, computed in fp32 or fp64."""
        difference = prediction - target
        if difference.dtype != torch.float64:
            difference = difference.float()  # there is no transform in bf16
        # The transform is linear: that of the difference is the difference of the transforms.
        spectrum = torch.view_as_real(torch.fft.fft2(difference))
        loss = difference.abs().mean() + self._weight * spectrum.abs().mean()
        if self._luma_weight == 0:
            return loss
        # Numbers, since a tensor of weights would be copied to the device in each step.
        channels = zip(LUMA_WEIGHTS, difference.unbind(1), strict=True)
        luma = torch.stack([weight * channel for weight, channel in channels]).sum(0)
        return loss + self._luma_weight * luma.abs().mean()
