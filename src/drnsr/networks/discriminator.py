"""The discriminator of ESRGAN (Wang et al. 2018, section 3.2; SRGAN's, Ledig et al. 2017)."""

import torch.nn.functional as F
from torch import Tensor, nn


class VGGDiscriminator(nn.Module):
    """Tell generated pictures from real ones: one logit for each picture, larger for real.

    Each stage is a 3 x 3 convolution that widens and a 4 x 4 convolution that halves the size.
    There are five stages, or six from 256 pixels on, as in the authors' code (BasicSR); then two
    linear layers. 14.5 million parameters for pictures of 128 x 128, 21.1 million for 256 x 256.

    Args:
        input_size: side of the pictures, a multiple of 32, and of 64 from 256 on.
        num_features: channels of the first layer; eight times as many at the end.

    Raises:
        ValueError: if ``input_size`` is not such a multiple; and by :meth:`forward`, if a picture
            has another size.
    """

    def __init__(self, *, input_size: int = 128, num_features: int = 64) -> None:
        super().__init__()
        num_stages = 6 if input_size >= 256 else 5
        shrinks = 2**num_stages
        if input_size < shrinks or input_size % shrinks:
            raise ValueError(
                f"input_size: {input_size} is not a multiple of {shrinks}, by which it is shrunk"
            )
        self.input_size = input_size
        self.num_features = num_features
        # The first convolution has a bias and no norm, as in SRGAN.
        layers: list[nn.Module] = [nn.Conv2d(3, num_features, 3, padding=1), nn.LeakyReLU(0.2)]
        layers += _halving(num_features)
        width = num_features
        for _ in range(num_stages - 1):
            before, width = width, min(2 * width, 8 * num_features)
            layers += _normalised(nn.Conv2d(before, width, 3, padding=1, bias=False))
            layers += _halving(width)
        self.features = nn.Sequential(*layers)
        self.linear1 = nn.Linear(width * (input_size // shrinks) ** 2, 100)
        self.linear2 = nn.Linear(100, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """(N, 3, input_size, input_size), 0..1, to (N, 1), not bounded."""
        if picture.shape[2:] != (self.input_size, self.input_size):
            height, width = picture.shape[2:]
            raise ValueError(
                f"the discriminator judges {self.input_size} x {self.input_size} pixels,"
                f" not {width} x {height}; they are datamodule.patch_size times the scale"
            )
        features = self.features(picture).flatten(1)  # (N, 8*F*4*4) for 128 or 256 pixels
        logit: Tensor = self.linear2(F.leaky_relu(self.linear1(features), 0.2))
        return logit


def _halving(width: int) -> list[nn.Module]:
    return _normalised(nn.Conv2d(width, width, 4, stride=2, padding=1, bias=False))


def _normalised(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.LeakyReLU(0.2)]
