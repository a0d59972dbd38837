"""The discriminator of ESRGAN (Wang et al. 2018, section 3.2; SRGAN's, Ledig et al. 2017)."""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


class VGGDiscriminator(nn.Module):
    """Tells pictures that were made from real ones: one logit each, larger for real.

    Convolutions of 3 x 3 that widen, and of 4 x 4 that halve, five times; then two linear layers.
    14.5 million parameters for pictures of 128 x 128.

    Args:
        input_size: the side of the pictures it judges, a multiple of 32.
        num_features: channels of the first layer; eight times as many at the end.

    Raises:
        ValueError: ``input_size`` is no multiple of 32; or later, a picture of another size.
    """

    def __init__(self, *, input_size: int = 128, num_features: int = 64) -> None:
        super().__init__()
        if input_size < 32 or input_size % 32:
            raise ValueError(
                f"input_size: {input_size} is no multiple of 32, which it is halved to"
            )
        self.input_size = input_size
        self.num_features = num_features
        widths = [num_features * factor for factor in (1, 2, 4, 8, 8)]
        # The very first convolution has a bias and no norm, as SRGAN's.
        stages: list[nn.Module] = [nn.Conv2d(3, widths[0], 3, padding=1), nn.LeakyReLU(0.2)]
        stages += _normed(nn.Conv2d(widths[0], widths[0], 4, stride=2, padding=1, bias=False))
        for before, after in pairwise(widths):
            stages += _normed(nn.Conv2d(before, after, 3, padding=1, bias=False))
            stages += _normed(nn.Conv2d(after, after, 4, stride=2, padding=1, bias=False))
        self.features = nn.Sequential(*stages)
        self.linear1 = nn.Linear(widths[-1] * (input_size // 32) ** 2, 100)
        self.linear2 = nn.Linear(100, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """(N, 3, input_size, input_size), 0..1, to (N, 1), not bounded."""
        if picture.shape[2:] != (self.input_size, self.input_size):
            height, width = picture.shape[2:]
            raise ValueError(
                f"the discriminator judges {self.input_size} x {self.input_size} pixels,"
                f" not {width} x {height}; they are loader.patch_size times the scale"
            )
        features = self.features(picture).flatten(1)  # (N, 8*F*(input_size/32)^2)
        logit: Tensor = self.linear2(F.leaky_relu(self.linear1(features), 0.2))
        return logit


def _normed(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.LeakyReLU(0.2)]
