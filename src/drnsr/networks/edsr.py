"""EDSR (Lim et al. 2017, "Enhanced Deep Residual Networks for Single Image Super-Resolution")."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from drnsr.networks.base import Descriptor, Network
from drnsr.networks.layers import DIV2K_MEAN, ResidualBlock, Upsampler, conv3x3


class EDSR(Network):
    """Residual blocks without batch norm; 16 x 64 is EDSR-baseline, 32 x 256 scaled by 0.1 is EDSR.

    Args:
        scale: 2, 3, 4 or 8.
        num_features: channels between the layers.
        num_blocks: residual blocks.
        residual_scale: what each block's residual is multiplied by; 0.1 keeps the wide one stable.
        img_range: inside, pixels are 0..img_range; 255 in the published weights.
        rgb_mean: the colour, on 0..1, that is taken off the input and put back on the output.

    Raises:
        ValueError: ``scale`` is neither 3 nor a power of two.
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
        self.num_features = num_features
        self.num_blocks = num_blocks
        self.residual_scale = residual_scale
        self.img_range = img_range
        self.rgb_mean = list(rgb_mean)
        self.register_buffer("mean", torch.tensor(self.rgb_mean).view(1, 3, 1, 1), persistent=False)
        self.head = conv3x3(3, num_features)
        blocks = [ResidualBlock(num_features, residual_scale) for _ in range(num_blocks)]
        self.body = nn.Sequential(*blocks)
        self.body_end = conv3x3(num_features, num_features)
        self.upsampler = Upsampler(num_features, scale)
        self.tail = conv3x3(num_features, 3)

    @property
    def descriptor(self) -> Descriptor:
        """Head, two convolutions a block, the body's end, and two pixels for upsampler and tail."""
        return Descriptor(scales=(self.scale,), receptive_field=2 * self.num_blocks + 4)

    def forward(self, lr: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 3, scale*H, scale*W), both 0..1 and not clipped."""
        shallow = self.head((lr - self.mean) * self.img_range)  # (N, F, H, W)
        deep = shallow + self.body_end(self.body(shallow))
        centred: Tensor = self.tail(self.upsampler(deep))  # (N, 3, scale*H, scale*W)
        return centred.float() / self.img_range + self.mean
