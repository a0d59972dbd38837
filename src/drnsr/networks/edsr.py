"""EDSR (Lim et al. 2017, "Enhanced Deep Residual Networks for Single Image Super-Resolution")."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from drnsr.networks.base import Descriptor, Network, register, unnamed_pixels
from drnsr.networks.layers import ResidualBlock, Upsampler, channel_mean, conv3x3


@register
class EDSR(Network):
    """Residual blocks without batch norm: EDSR-baseline is 16 x 64, EDSR 32 x 256 scaled by 0.1.

    Args:
        scale: 2, 3, 4 or 8.
        num_features: channels between the layers.
        num_blocks: residual blocks.
        residual_scale: factor of each block's residual; 0.1 keeps the wide network stable.
        img_range: pixels are 0..img_range inside the network; 255 in the published weights.
        rgb_mean: the value of each channel, 0..1, that is subtracted from the input and added to
            the output; None for that of DIV2K's photographs, or for its gray if it is no RGB.
        channels: of input and output: 3 is RGB, and any other number bands.

    Raises:
        ValueError: if ``scale`` is neither 3 nor a power of two, or ``rgb_mean`` has not as many
            values as there are channels.
    """

    mean: Tensor

    def __init__(
        self,
        *,
        scale: int,
        num_features: int = 64,
        num_blocks: int = 16,
        residual_scale: float = 1.0,
        img_range: float = 255.0,
        rgb_mean: Sequence[float] | None = None,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.pixels = unnamed_pixels(channels)
        mean = self.hyper_parameters["rgb_mean"] = channel_mean(rgb_mean, channels)
        self.scale = scale
        self.num_blocks = num_blocks
        self.img_range = img_range
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.head = conv3x3(channels, num_features)
        blocks = [ResidualBlock(num_features, residual_scale) for _ in range(num_blocks)]
        self.body = nn.Sequential(*blocks)
        self.body_end = conv3x3(num_features, num_features)
        self.upsampler = Upsampler(num_features, scale)
        self.tail = conv3x3(num_features, channels)

    @property
    def descriptor(self) -> Descriptor:
        """Head, two convolutions per block, body's end, and two pixels for upsampler and tail."""
        return Descriptor(
            scales=(self.scale,),
            receptive_field=2 * self.num_blocks + 4,
            colour=self.colour,
            pixels=self.pixels,
        )

    def forward(self, lr: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, scale*H, scale*W), both 0..1 and not clipped."""
        shallow = self.head((lr - self.mean) * self.img_range)  # (N, F, H, W)
        deep = shallow + self.body_end(self.body(shallow))
        centred: Tensor = self.tail(self.upsampler(deep))  # (N, C, scale*H, scale*W)
        return centred.float() / self.img_range + self.mean
