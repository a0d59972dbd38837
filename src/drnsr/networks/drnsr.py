"""DRNSR, the network of the paper that this project began with (Kavitha et al. 2025); the default.

conv + ReLU, residual blocks and a learned upsampling follow the paper. We add a bicubic skip: the
layers predict a residual over the bicubic enlargement, and the last layer starts at zero. So an
untrained network is bicubic, and training only has to learn the missing detail.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from drnsr.networks.base import Descriptor, Network, register, unnamed_pixels
from drnsr.networks.layers import BicubicSkip, ResidualBlock, conv3x3


@register
class DRNSR(Network):
    """Residual blocks under a bicubic skip.

    Args:
        scale: 2 or more, any whole number.
        num_features: channels between the layers.
        num_blocks: residual blocks.
        channels: of input and output: 3 is RGB, and any other number bands.
    """

    def __init__(
        self, *, scale: int, num_features: int = 32, num_blocks: int = 8, channels: int = 3
    ) -> None:
        super().__init__()
        self.pixels = unnamed_pixels(channels)
        self.scale = scale
        self.num_blocks = num_blocks
        self.head = conv3x3(channels, num_features)
        self.body = nn.Sequential(*[ResidualBlock(num_features) for _ in range(num_blocks)])
        self.body_end = conv3x3(num_features, num_features)
        # One convolution to the pixels of all scale^2 phases: the cheapest learned upsampling.
        self.tail = conv3x3(num_features, channels * scale**2)
        nn.init.zeros_(self.tail.weight)
        assert self.tail.bias is not None
        nn.init.zeros_(self.tail.bias)
        self.skip = BicubicSkip(scale)

    @property
    def descriptor(self) -> Descriptor:
        """Head, two convolutions per block, the body's end and the tail each see one more pixel."""
        return Descriptor(
            scales=(self.scale,),
            receptive_field=2 * self.num_blocks + 3,
            colour=self.colour,
            pixels=self.pixels,
        )

    def forward(self, lr: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, scale*H, scale*W), both 0..1 and not clipped."""
        shallow = F.relu(self.head(lr), inplace=True)  # (N, F, H, W)
        deep = shallow + self.body_end(self.body(shallow))
        residual = F.pixel_shuffle(self.tail(deep), self.scale)  # (N, C, scale*H, scale*W)
        bicubic: Tensor = self.skip(lr)
        return bicubic + residual.float()
