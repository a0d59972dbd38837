"""EDSR (Lim et al. 2017, "Enhanced Deep Residual Networks for Single Image Super-Resolution")."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from drnsr.networks.base import Descriptor, Network, register
from drnsr.networks.layers import DIV2K_MEAN, ResidualBlock, Upsampler, conv3x3


@register
class EDSR(Network):
    """Residual blocks without batch norm: EDSR-baseline is 16 x 64, EDSR 32 x 256 scaled by 0.1.

    Args:
        scale: 2, 3, 4 or 8.
        num_features: channels between the layers.
        num_blocks: residual blocks.
        residual_scale: factor of each block's residual; 0.1 keeps the wide network stable.
        img_range: pixels are 0..img_range inside the network; 255 in the published weights.
        rgb_mean: the colour, 0..1, that is subtracted from the input and added to the output.

    Raises:
        ValueError: if ``scale`` is neither 3 nor a power of two.
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
        rgb_mean: Sequence[float] = DIV2K_MEAN,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.num_blocks = num_blocks
        self.img_range = img_range
        self.register_buffer(
            "mean", torch.tensor(list(rgb_mean)).view(1, 3, 1, 1), persistent=False
        )
        self.head = conv3x3(3, num_features)
        blocks = [ResidualBlock(num_features, residual_scale) for _ in range(num_blocks)]
        self.body = nn.Sequential(*blocks)
        self.body_end = conv3x3(num_features, num_features)
        self.upsampler = Upsampler(num_features, scale)
        self.tail = conv3x3(num_features, 3)

    @property
    def descriptor(self) -> Descriptor:
        """Head, two convolutions per block, body's end, and two pixels for upsampler and tail."""
        return Descriptor(scales=(self.scale,), receptive_field=2 * self.num_blocks + 4)

    def forward(self, lr: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 3, scale*H, scale*W), both 0..1 and not clipped."""
        shallow = self.head((lr - self.mean) * self.img_range)  # (N, F, H, W)
        deep = shallow + self.body_end(self.body(shallow))
        centred: Tensor = self.tail(self.upsampler(deep))  # (N, 3, scale*H, scale*W)
        return centred.float() / self.img_range + self.mean
