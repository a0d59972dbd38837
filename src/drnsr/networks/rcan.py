"""RCAN (Zhang et al. 2018, "... Using Very Deep Residual Channel Attention Networks")."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drnsr.networks.base import Descriptor, Network, register, unnamed_pixels
from drnsr.networks.layers import Upsampler, channel_mean, conv3x3


@register
class RCAN(Network):
    """Residual groups of channel-attention blocks: residual in residual (sections 3.1 to 3.3).

    Args:
        scale: 2, 3, 4 or 8.
        num_features: channels between the layers.
        num_groups: residual groups.
        num_blocks: channel-attention blocks in each group.
        reduction: by which factor the attention reduces the number of channels.
        residual_scale: factor of each block's residual, after its attention; the paper has none,
            BasicSR's RCAN may.
        img_range: pixels are 0..img_range inside the network; 255 in the published weights.
        rgb_mean: the value of each channel, 0..1, that is subtracted from the input and added to
            the output; None for that of DIV2K's photographs, or for its gray if it is no RGB.
        channels: of input and output: 3 is RGB, and any other number bands.

    Raises:
        ValueError: if ``scale`` is neither 3 nor a power of two, or ``reduction`` leaves no
            channel, or ``rgb_mean`` has not as many values as there are channels.
    """

    mean: Tensor

    def __init__(
        self,
        *,
        scale: int,
        num_features: int = 64,
        num_groups: int = 10,
        num_blocks: int = 20,
        reduction: int = 16,
        residual_scale: float = 1.0,
        img_range: float = 255.0,
        rgb_mean: Sequence[float] | None = None,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.pixels = unnamed_pixels(channels)
        mean = self.hyper_parameters["rgb_mean"] = channel_mean(rgb_mean, channels)
        if num_features < reduction:
            raise ValueError(f"reduction {reduction} leaves none of {num_features} channels")
        self.scale = scale
        self.img_range = img_range
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.head = conv3x3(channels, num_features)
        groups = [
            ResidualGroup(num_features, num_blocks, reduction, residual_scale)
            for _ in range(num_groups)
        ]
        self.body = nn.Sequential(*groups)
        self.body_end = conv3x3(num_features, num_features)
        self.upsampler = Upsampler(num_features, scale)
        self.tail = conv3x3(num_features, channels)

    @property
    def descriptor(self) -> Descriptor:
        """The attention averages over the whole picture, so a tile's output differs from it.

        fp16 is left out, because nobody has shown that features of 0..255 stay within its range.
        """
        return Descriptor(
            scales=(self.scale,),
            receptive_field="global",
            precisions=("fp32", "bf16"),
            tiling_exact=False,
            colour=self.colour,
            pixels=self.pixels,
        )

    def forward(self, lr: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, scale*H, scale*W), both 0..1 and not clipped."""
        shallow = self.head((lr - self.mean) * self.img_range)  # (N, F, H, W)
        deep = shallow + self.body_end(self.body(shallow))
        centred: Tensor = self.tail(self.upsampler(deep))  # (N, C, scale*H, scale*W)
        return centred.float() / self.img_range + self.mean


class ResidualGroup(nn.Module):
    """Channel-attention blocks and a convolution under a short skip (equation 4)."""

    def __init__(
        self, num_features: int, num_blocks: int, reduction: int, residual_scale: float
    ) -> None:
        super().__init__()
        blocks = [
            ChannelAttentionBlock(num_features, reduction, residual_scale)
            for _ in range(num_blocks)
        ]
        self.blocks = nn.Sequential(*blocks)
        self.end = conv3x3(num_features, num_features)

    def forward(self, x: Tensor) -> Tensor:
        """(N, F, H, W) to the same."""
        residual: Tensor = self.end(self.blocks(x))
        return x + residual


class ChannelAttentionBlock(nn.Module):
    """conv, ReLU, conv, each channel weighted by attention, added to the input (equation 11)."""

    def __init__(self, num_features: int, reduction: int, residual_scale: float = 1.0) -> None:
        super().__init__()
        self.conv1 = conv3x3(num_features, num_features)
        self.conv2 = conv3x3(num_features, num_features)
        # Equation 10, after a mean over the whole picture: reduce the channels, and expand again.
        self.squeeze = nn.Conv2d(num_features, num_features // reduction, kernel_size=1)
        self.excite = nn.Conv2d(num_features // reduction, num_features, kernel_size=1)
        self.residual_scale = residual_scale

    def forward(self, x: Tensor) -> Tensor:
        """(N, F, H, W) to the same."""
        residual: Tensor = self.conv2(F.relu(self.conv1(x), inplace=True))
        mean = residual.mean(dim=(2, 3), keepdim=True)  # (N, F, 1, 1)
        weight = torch.sigmoid(self.excite(F.relu(self.squeeze(mean))))
        if self.residual_scale != 1:
            weight = weight * self.residual_scale
        return x + residual * weight
