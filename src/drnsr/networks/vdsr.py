"""VDSR (Kim et al. 2016, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks").

The picture is enlarged bicubically first, and twenty layers add the detail. One network serves all
scales (section 3.3): after the enlargement they look alike to it.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drnsr.networks.base import Descriptor, Network
from drnsr.networks.layers import DIV2K_MEAN, BicubicSkip, Border


class VDSR(Network):
    """Plain convolutions on the bicubic enlargement, which they correct.

    The paper's takes luma alone. The enlarged luma must stay floating point: rounding it to 8 bits
    costs 0.22 dB at x4.

    Args:
        scales: those that it serves, each 2 or more.
        colour: "Y" as in the paper; "RGB" is what some programs train under the same name, with
            DIV2K's mean colour taken off.
        num_features: channels between the layers.
        num_layers: convolutions, first and last included; 3 or more.
        bias: whether the convolutions have one; the paper's have, some public weights have none.
        border: what the bicubic enlargement sees beyond the picture.
        cubic_a: of the bicubic kernel: -0.5 is MATLAB's, -0.75 torch's and OpenCV's.

    Raises:
        ValueError: there is no scale, one below 2, or no such border; or later, when it is run at a
            scale that it does not serve.
    """

    multi_scale: ClassVar[bool] = True
    mean: Tensor

    def __init__(
        self,
        *,
        scales: Sequence[int],
        colour: Literal["Y", "RGB"] = "Y",
        num_features: int = 64,
        num_layers: int = 20,
        bias: bool = True,
        border: Border = "replicate",
        cubic_a: float = -0.5,
    ) -> None:
        super().__init__()
        if not scales:
            raise ValueError("scales: VDSR serves at least one")
        self.scales = list(scales)
        self.colour = colour
        self.num_features = num_features
        self.num_layers = num_layers
        self.bias = bias
        self.border = border
        self.cubic_a = cubic_a
        self.bicubic = nn.ModuleDict(
            {str(scale): BicubicSkip(scale, border=border, a=cubic_a) for scale in self.scales}
        )
        mean = DIV2K_MEAN if colour == "RGB" else (0.0,)
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        widths = [len(mean), *[num_features] * (num_layers - 1), len(mean)]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, kernel_size=3, padding=1, bias=bias)
            for before, after in pairwise(widths)
        )
        for layer in self.layers:
            _initialise(layer)

    @property
    def descriptor(self) -> Descriptor:
        """Each layer looks one enlarged pixel further, and the bicubic two pixels of LR."""
        reach = max(_reach(self.num_layers, scale) for scale in self.scales)
        return Descriptor(scales=tuple(self.scales), receptive_field=reach, colour=self.colour)

    def forward(self, lr: Tensor, scale: int) -> Tensor:
        """(N, C, H, W) to (N, C, scale*H, scale*W), both 0..1 and not clipped."""
        bicubic: Tensor = self.bicubic[str(scale)](lr)  # (N, C, scale*H, scale*W), fp32
        x = bicubic - self.mean
        for layer in self.layers[:-1]:
            x = F.relu(layer(x), inplace=True)  # (N, F, scale*H, scale*W)
        residual: Tensor = self.layers[-1](x)  # (N, C, scale*H, scale*W)
        return bicubic + residual.float()


def _reach(num_layers: int, scale: int) -> int:
    """The receptive field at one scale, in LR pixels."""
    # The enlarged pixel that lies num_layers before an LR pixel's first one has its centre that far
    # before the LR pixel's own; of the LR pixels less than 2 from there, the first one counts.
    way = (num_layers - 0.5) / scale + 0.5
    return math.ceil(way) + 1


def _initialise(layer: nn.Module) -> None:
    """As He et al. 2015, section 2.2: twenty layers without norm or short cuts need it.

    It keeps the size of the gradients (their equation 14), as public code of VDSR does, rather than
    that of the features.
    """
    assert isinstance(layer, nn.Conv2d)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
