"""RRDBNet, ESRGAN's generator (Wang et al. 2018, "ESRGAN: Enhanced Super-Resolution GAN")."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drnsr.networks.base import Descriptor, Network, register, unnamed_pixels
from drnsr.networks.layers import conv3x3

_SLOPE = 0.2  # of the leaky ReLU
_RESIDUAL_SCALE = 0.2  # of each dense block, and again of each three of them (section 3.1)


@register
class RRDBNet(Network):
    """Dense blocks, residual in residual, then nearest-neighbour doublings with convolutions.

    Real-ESRGAN's networks for scales 2 and 1 begin with a pixel-unshuffle, so that the deep part
    works on a smaller picture and still doubles twice (Wang et al. 2021, section 3.3).

    Args:
        scale: 1, 2, 3, 4 or 8; 3 is a single upsampling step, as in the oldest ESRGAN.
        num_features: channels between the layers.
        num_blocks: residual-in-residual blocks of three dense blocks each.
        num_growth: channels that each convolution of a dense block adds.
        unshuffle: factor of the pixel-unshuffle at the input; None for 4 at scale 1, 2 at scale 2,
            and 1 above. The oldest ESRGAN files of scale 2 have 1.
        channels: of input and output: 3 is RGB, and any other number bands.

    Raises:
        ValueError: if ``scale`` times ``unshuffle`` is neither 3 nor a power of two.
    """

    def __init__(
        self,
        *,
        scale: int,
        num_features: int = 64,
        num_blocks: int = 23,
        num_growth: int = 32,
        unshuffle: int | None = None,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.pixels = unnamed_pixels(channels)
        if unshuffle is None:
            unshuffle = {1: 4, 2: 2}.get(scale, 1)
            self.hyper_parameters["unshuffle"] = unshuffle
        factor = scale * unshuffle
        if factor < 1 or (factor != 3 and factor & (factor - 1)):
            raise ValueError(f"scale {scale}: RRDBNet enlarges by 3 or powers of two")
        self.scale = scale
        self.num_blocks = num_blocks
        self.unshuffle = unshuffle
        self.head = conv3x3(channels * unshuffle**2, num_features)
        blocks = [ResidualInResidual(num_features, num_growth) for _ in range(num_blocks)]
        self.body = nn.Sequential(*blocks)
        self.body_end = conv3x3(num_features, num_features)
        self._factors = [3] if factor == 3 else [2] * (factor.bit_length() - 1)
        self.doublings = nn.ModuleList(conv3x3(num_features, num_features) for _ in self._factors)
        self.last = conv3x3(num_features, num_features)
        self.tail = conv3x3(num_features, channels)

    @property
    def descriptor(self) -> Descriptor:
        """Head, five convolutions per dense block, the body's end, and the last three layers.

        Up to the body's end each convolution sees one more pixel of the unshuffled picture. The
        last three convolutions see 3 more output pixels: 2 unshuffled pixels, or 1 if each pixel
        was enlarged by 3.
        """
        after = 1 if self._factors == [3] else 2
        return Descriptor(
            scales=(self.scale,),
            receptive_field=self.unshuffle * (1 + 15 * self.num_blocks + 1 + after),
            size_multiple=self.unshuffle,
            colour=self.colour,
            pixels=self.pixels,
        )

    def forward(self, lr: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, scale*H, scale*W), both 0..1 and not clipped.

        H and W are multiples of ``unshuffle``.
        """
        shallow = self.head(F.pixel_unshuffle(lr, self.unshuffle))  # (N, F, H/u, W/u)
        features = shallow + self.body_end(self.body(shallow))
        for factor, conv in zip(self._factors, self.doublings, strict=True):
            enlarged = F.interpolate(features, scale_factor=float(factor), mode="nearest")
            features = _leaky_relu(conv(enlarged))
        sr: Tensor = self.tail(_leaky_relu(self.last(features)))  # (N, 3, scale*H, scale*W)
        return sr.float()


class ResidualInResidual(nn.Module):
    """Three dense blocks, times 0.2, added to the input (figure 4)."""

    def __init__(self, num_features: int, num_growth: int) -> None:
        super().__init__()
        blocks = [DenseBlock(num_features, num_growth) for _ in range(3)]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """(N, F, H, W) to the same."""
        residual: Tensor = self.blocks(x)
        return x + residual * _RESIDUAL_SCALE


class DenseBlock(nn.Module):
    """Five densely connected convolutions; the result times 0.2, added to the input."""

    def __init__(self, num_features: int, num_growth: int) -> None:
        super().__init__()
        grown = [num_features + number * num_growth for number in range(5)]
        widths = [num_growth] * 4 + [num_features]
        self.convs = nn.ModuleList(map(conv3x3, grown, widths))
        for conv in self.convs:
            assert isinstance(conv, nn.Conv2d)
            assert conv.bias is not None
            # The smaller initialisation of section 3.1: a tenth of that of He et al. 2015.
            nn.init.kaiming_normal_(conv.weight)
            conv.weight.data *= 0.1
            nn.init.zeros_(conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, F, H, W) to the same."""
        features = x
        for conv in self.convs[:-1]:
            features = torch.cat((features, _leaky_relu(conv(features))), dim=1)
        residual: Tensor = self.convs[-1](features)
        return x + residual * _RESIDUAL_SCALE


def _leaky_relu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, _SLOPE, inplace=True)
