"""The discriminators of ESRGAN and Real-ESRGAN."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from drnsr.networks.layers import conv3x3

_SLOPE = 0.2  # of the leaky ReLU


class VGGDiscriminator(nn.Module):
    """Tell generated pictures from real ones: one logit for each picture, larger for real.

    The discriminator of ESRGAN (Wang et al. 2018, section 3.2), which is SRGAN's (Ledig et al.
    2017). Each stage is a 3 x 3 convolution that widens and a 4 x 4 convolution that halves the
    size. There are five stages, or six from 256 pixels on, as in the authors' code (BasicSR); then
    two linear layers. 14.5 million parameters for pictures of 128 x 128, 21.1 million for
    256 x 256.

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
        layers: list[nn.Module] = [nn.Conv2d(3, num_features, 3, padding=1), nn.LeakyReLU(_SLOPE)]
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
        logit: Tensor = self.linear2(F.leaky_relu(self.linear1(features), _SLOPE))
        return logit


def _halving(width: int) -> list[nn.Module]:
    return _normalised(nn.Conv2d(width, width, 4, stride=2, padding=1, bias=False))


def _normalised(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.LeakyReLU(_SLOPE)]


class UNetDiscriminator(nn.Module):
    """Tell generated pictures from real ones: one logit for each pixel, larger for real.

    The discriminator of Real-ESRGAN (Wang et al. 2021, section 3.4): a U-Net that halves the size
    three times and doubles it again, each time with a sum across, so that it judges the whole and
    the details. All layers but the first and the last have spectral normalisation (Miyato et al.
    2018): their kernels are divided by an estimate of their largest singular value, which one power
    iteration improves in each forward pass of the training. The two vectors of the iteration are
    buffers, and in a state of the training. 4.4 million parameters, as in the authors' code.

    Args:
        num_features: channels of the first layer; eight times as many in the middle.

    Raises:
        ValueError: by :meth:`forward`, if a side of the picture is no multiple of 8.
    """

    def __init__(self, *, num_features: int = 64) -> None:
        super().__init__()
        widths = [num_features * factor for factor in (1, 2, 4, 8)]
        self.head = conv3x3(3, num_features)
        self.down = nn.ModuleList(
            spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False))
            for width in widths[:-1]
        )
        self.up = nn.ModuleList(_normalised3x3(2 * width, width) for width in widths[-2::-1])
        self.refine = nn.ModuleList(_normalised3x3(num_features, num_features) for _ in range(2))
        self.tail = conv3x3(num_features, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """(N, 3, H, W), 0..1, H and W multiples of 8, to (N, 1, H, W), not bounded."""
        height, width = picture.shape[2:]
        if height % 8 or width % 8:
            raise ValueError(
                f"the discriminator judges crops whose sides are multiples of 8, not {width} x"
                f" {height}; they are datamodule.patch_size times the scale"
            )
        stages = [F.leaky_relu(self.head(picture), _SLOPE)]  # (N, F, H, W)
        for conv in self.down:
            stages.append(F.leaky_relu(conv(stages[-1]), _SLOPE))
        features = stages.pop()  # (N, 8F, H/8, W/8)
        for conv, stage in zip(self.up, reversed(stages), strict=True):
            doubled = F.interpolate(features, scale_factor=2.0, mode="bilinear")
            features = F.leaky_relu(conv(doubled), _SLOPE) + stage
        for conv in self.refine:
            features = F.leaky_relu(conv(features), _SLOPE)
        logits: Tensor = self.tail(features)
        return logits


def _normalised3x3(in_channels: int, out_channels: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False))
