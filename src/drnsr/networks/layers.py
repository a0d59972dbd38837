"""Layers that several networks share."""

from collections.abc import Sequence
from statistics import fmean
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drnsr.images.resize import cubic_kernel

# The mean colour of DIV2K's training images, on 0..1 (Lim et al. 2017, section 4; the numbers of
# its authors' code).
DIV2K_MEAN = (0.4488, 0.4371, 0.4040)

Padding = Literal["replicate", "mirror"]
"""How a resize pads a picture: with its outermost pixels, or with its mirror image."""


def channel_mean(rgb_mean: Sequence[float] | None, channels: int) -> list[float]:
    """Return the mean of each channel: the given one, DIV2K's for RGB, or that gray for bands.

    Raises:
        ValueError: if the given one has another number of channels.
    """
    if rgb_mean is None:
        is_rgb = channels == len(DIV2K_MEAN)
        rgb_mean = DIV2K_MEAN if is_rgb else [fmean(DIV2K_MEAN)] * channels
    if len(rgb_mean) != channels:
        raise ValueError(f"rgb_mean: {len(rgb_mean)} values for {channels} channels")
    return list(rgb_mean)


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Return a 3 x 3 convolution that keeps the picture's size, with zero padding."""
    return nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)


class ResidualBlock(nn.Module):
    """conv, ReLU, conv, times ``residual_scale``, added to the input; no batch norm (Lim 2017)."""

    def __init__(
        self, num_features: int, residual_scale: float = 1.0, kernel_size: int = 3
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_features, num_features, kernel_size, padding=kernel_size // 2)
        self.conv2 = nn.Conv2d(num_features, num_features, kernel_size, padding=kernel_size // 2)
        self.residual_scale = residual_scale

    def forward(self, x: Tensor) -> Tensor:
        """(N, F, H, W) to the same."""
        # In place: no other layer uses the convolutions' results, and new memory for each would
        # make a picture take a fifth longer (docs/profile.md).
        residual: Tensor = self.conv2(F.relu(self.conv1(x), inplace=True))
        # A multiplication by 1 would be a needless pass over memory, 1 % of a training step.
        scaled = residual if self.residual_scale == 1 else residual.mul_(self.residual_scale)
        return scaled.add_(x)


class Upsampler(nn.Sequential):
    """Sub-pixel convolution (Shi 2016): x2 and x3 in one stage, x4 and x8 in stages of x2."""

    def __init__(self, num_features: int, scale: int) -> None:
        """Raise ValueError if ``scale`` is neither 3 nor a power of two."""
        if scale == 3:
            factors = [3]
        elif scale >= 2 and scale & (scale - 1) == 0:
            factors = [2] * (scale.bit_length() - 1)
        else:
            raise ValueError(f"scale {scale} is neither 3 nor a power of two")
        stages: list[nn.Module] = []
        for factor in factors:
            stages += [conv3x3(num_features, num_features * factor**2), nn.PixelShuffle(factor)]
        super().__init__(*stages)


class BicubicSkip(nn.Module):
    """Bicubic enlargement as a fixed convolution, one filter for each of the scale^2 phases.

    It computes what MATLAB's ``imresize`` does on floating point. A convolution exports everywhere,
    which torch's antialiased interpolation does not, and it stays in fp32 under mixed precision:
    the residual is small beside the picture, and bf16 would round the picture itself to 8 bits.

    Args:
        scale: 2 or more.
        padding: how the picture is padded.
        a: the parameter a of the cubic kernel; MATLAB's is -0.5.

    Raises:
        ValueError: if ``scale`` is below 2.
    """

    weight: Tensor

    def __init__(self, scale: int, *, padding: Padding = "replicate", a: float = -0.5) -> None:
        super().__init__()
        if scale < 2:
            raise ValueError(f"scale {scale}: bicubic enlargement is by 2 or more")
        self.scale = scale
        self.padding = padding
        # Not persistent: the filters follow from the scale and belong in no checkpoint.
        self.register_buffer("weight", _phase_filters(scale, a), persistent=False)

    def forward(self, lr: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, scale*H, scale*W), fp32."""
        with torch.autocast(lr.device.type, enabled=False):
            n, c, h, w = lr.shape
            planes = lr.float().reshape(n * c, 1, h, w)
            if self.padding == "replicate":
                planes = F.pad(planes, (2, 2, 2, 2), mode="replicate")
            else:
                planes = _mirrored(_mirrored(planes, 2), 3)
            phases = F.conv2d(planes, self.weight.float())  # (N*C, scale^2, H, W)
            return F.pixel_shuffle(phases, self.scale).reshape(n, c, h * self.scale, w * self.scale)


def _mirrored(planes: Tensor, dim: int) -> Tensor:
    """Pad both ends with the outermost two pixels in reverse order, as MATLAB's "symmetric"."""
    size = planes.shape[dim]
    # A line of n pixels, mirrored at both ends again and again, has a period of 2n.
    position = torch.arange(-2, size + 2, device=planes.device) % (2 * size)
    return planes.index_select(dim, torch.minimum(position, 2 * size - 1 - position))


def _phase_filters(scale: int, a: float) -> Tensor:
    """Return the (scale^2, 1, 5, 5) filters, with phases in the order of pixel shuffle."""
    device = torch.get_default_device()
    if device.type == "meta":  # where to compute them would import torch.compile, for a second
        return torch.empty(scale * scale, 1, 5, 5, dtype=torch.float32)
    # Output pixel p of an input pixel lies (p + 0.5) / scale - 0.5 input pixels from its centre.
    centres = (np.arange(scale) + 0.5) / scale - 0.5
    kernel = torch.from_numpy(cubic_kernel(np.arange(-2.0, 3.0) - centres[:, None], a))
    taps = kernel.to(device)
    filters = torch.einsum("ay,bx->abyx", taps, taps)
    return filters.reshape(scale * scale, 1, 5, 5).float()
