"""VDSR (Kim et al. 2016, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks").

The picture is enlarged bicubically first, and twenty layers add the detail. One network serves all
scales (section 3.3), because its layers work at the size of the output.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drnsr.networks.base import Colour, Descriptor, Network, register, unnamed_pixels
from drnsr.networks.layers import DIV2K_MEAN, BicubicSkip, Padding


@register
class VDSR(Network):
    """Plain convolutions that predict a residual over the bicubic enlargement.

    The paper's network takes luma alone. The enlarged luma must stay floating point: rounding it to
    8 bits costs 0.22 dB at x4.

    Args:
        scales: the scales that it serves, each 2 or more.
        colour: "Y" as in the paper; some programs train "RGB" under the same name, with DIV2K's
            mean colour subtracted; or "bands".
        num_features: channels between the layers.
        num_layers: number of convolutions, first and last included; 3 or more.
        bias: whether the convolutions have a bias, as in the paper; some public weights have none.
        border: the padding of the bicubic enlargement.
        cubic_a: the parameter a of the bicubic kernel: -0.5 is MATLAB's, -0.75 that of torch and
            OpenCV.
        channels: the number of bands; null for the other colours, which have 1 and 3.

    Raises:
        ValueError: if there is no scale, a scale below 2, or no such border, or the number of
            channels is missing or is that of another colour.
    """

    multi_scale: ClassVar[bool] = True
    mean: Tensor

    def __init__(
        self,
        *,
        scales: Sequence[int],
        colour: Colour = "Y",
        num_features: int = 64,
        num_layers: int = 20,
        bias: bool = True,
        border: Padding = "replicate",
        cubic_a: float = -0.5,
        channels: int | None = None,
    ) -> None:
        super().__init__()
        known = {"Y": 1, "RGB": 3}.get(colour)
        channels = self.hyper_parameters["channels"] = channels or known or 0
        if channels != (known or channels):
            raise ValueError(f"channels: {channels}, but the colour {colour} has {known}")
        if not scales:
            raise ValueError("scales: VDSR serves at least one")
        if border not in get_args(Padding):
            raise ValueError(f"border {border!r} is none of {', '.join(get_args(Padding))}")
        self.scales = list(scales)
        self._colour = colour
        if colour != "Y":
            self.pixels = unnamed_pixels(channels)
        self.num_layers = num_layers
        self.bicubic = nn.ModuleDict(
            {str(scale): BicubicSkip(scale, padding=border, a=cubic_a) for scale in self.scales}
        )
        mean = DIV2K_MEAN if colour == "RGB" else (0.0,) * channels
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        widths = [len(mean), *[num_features] * (num_layers - 1), len(mean)]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, kernel_size=3, padding=1, bias=bias)
            for before, after in pairwise(widths)
        )
        for layer in self.layers:
            _initialise(layer)

    @property
    def colour(self) -> Colour:
        """The meaning of its channels."""
        return self._colour

    @property
    def descriptor(self) -> Descriptor:
        """Each layer sees one more enlarged pixel, and the bicubic enlargement two LR pixels."""
        radius = max(_receptive_field(self.num_layers, scale) for scale in self.scales)
        return Descriptor(
            scales=tuple(self.scales),
            receptive_field=radius,
            colour=self.colour,
            pixels=self.pixels,
        )

    def forward(self, lr: Tensor, scale: int) -> Tensor:
        """(N, C, H, W) to (N, C, scale*H, scale*W), both 0..1 and not clipped."""
        bicubic: Tensor = self.bicubic[str(scale)](lr)  # (N, C, scale*H, scale*W), fp32
        x = bicubic - self.mean
        for layer in self.layers[:-1]:
            x = F.relu(layer(x), inplace=True)  # (N, F, scale*H, scale*W)
        residual: Tensor = self.layers[-1](x)  # (N, C, scale*H, scale*W)
        return bicubic + residual.float()


def _receptive_field(num_layers: int, scale: int) -> int:
    """Return the receptive field at one scale, as a radius in LR pixels."""
    # The layers see the enlarged pixel that lies num_layers before the first one of an LR pixel.
    # Its centre lies this far before that LR pixel's centre, in LR pixels:
    distance = (num_layers - 0.5) / scale + 0.5
    # The cubic kernel takes LR pixels that are less than 2 away from there.
    return math.ceil(distance) + 1


def _initialise(layer: nn.Module) -> None:
    """Initialise as He et al. 2015, section 2.2: twenty layers without norm or skips need it.

    It preserves the variance of the gradients (their equation 14), as public code of VDSR does,
    rather than that of the features.
    """
    assert isinstance(layer, nn.Conv2d)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
