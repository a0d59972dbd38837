"""MDSR (Lim et al. 2017, section 3.3): EDSR's body shared by several scales."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from drnsr.networks.base import Descriptor, Network, register, unnamed_pixels
from drnsr.networks.layers import ResidualBlock, Upsampler, channel_mean, conv3x3


@register
class MDSR(Network):
    """One body of residual blocks; each scale has its own pre-processing and its own upsampler.

    Args:
        scales: the scales that it serves, each 2, 3, 4 or 8.
        num_features: channels between the layers.
        num_blocks: residual blocks of the body; 80 is MDSR, 16 MDSR-baseline.
        img_range: pixels are 0..img_range inside the network; 255 in the published weights.
        rgb_mean: the value of each channel, 0..1, that is subtracted from the input and added to
            the output; None for that of DIV2K's photographs, or for its gray if it is no RGB.
        channels: of input and output: 3 is RGB, and any other number bands.

    Raises:
        ValueError: if a scale is neither 3 nor a power of two, or ``rgb_mean`` has not as many
            values as there are channels.
    """

    multi_scale: ClassVar[bool] = True
    mean: Tensor

    def __init__(
        self,
        *,
        scales: Sequence[int],
        num_features: int = 64,
        num_blocks: int = 80,
        img_range: float = 255.0,
        rgb_mean: Sequence[float] | None = None,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.pixels = unnamed_pixels(channels)
        mean = self.hyper_parameters["rgb_mean"] = channel_mean(rgb_mean, channels)
        self.scales = list(scales)
        self.num_blocks = num_blocks
        self.img_range = img_range
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.head = conv3x3(channels, num_features)
        # Two blocks of 5 x 5 reduce the variance between scales (section 3.3).
        self.pre = nn.ModuleDict(
            {
                str(scale): nn.Sequential(
                    *[ResidualBlock(num_features, kernel_size=5) for _ in range(2)]
                )
                for scale in self.scales
            }
        )
        self.body = nn.Sequential(*[ResidualBlock(num_features) for _ in range(num_blocks)])
        self.body_end = conv3x3(num_features, num_features)
        self.upsampler = nn.ModuleDict(
            {str(scale): Upsampler(num_features, scale) for scale in self.scales}
        )
        self.tail = conv3x3(num_features, channels)

    @property
    def descriptor(self) -> Descriptor:
        """Head, four convolutions of 5 x 5, body, its end, and two pixels for the upsampling."""
        return Descriptor(
            scales=tuple(self.scales),
            receptive_field=1 + 8 + 2 * self.num_blocks + 1 + 2,
            colour=self.colour,
            pixels=self.pixels,
        )

    def forward(self, lr: Tensor, scale: int) -> Tensor:
        """(N, C, H, W) to (N, C, scale*H, scale*W), both 0..1 and not clipped."""
        shallow = self.head((lr - self.mean) * self.img_range)  # (N, F, H, W)
        shallow = self.pre[str(scale)](shallow)
        deep = shallow + self.body_end(self.body(shallow))
        centred: Tensor = self.tail(self.upsampler[str(scale)](deep))  # (N, C, scale*H, scale*W)
        return centred.float() / self.img_range + self.mean
