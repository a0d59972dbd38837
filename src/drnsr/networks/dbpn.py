"""DBPN (Haris et al. 2018, "Deep Back-Projection Networks For Super-Resolution").

And its recurrent successor (Haris et al. 2019, arXiv:1904.05677).

Instead of one upsampling at the end, up- and down-projections alternate between LR and HR. Each
projects its result back, and corrects it by the difference.
"""

import torch
from torch import Tensor, nn

from drnsr.networks.base import Descriptor, Network, register, unnamed_pixels
from drnsr.networks.layers import BicubicSkip

# Kernel, stride and padding of the (de)convolutions between LR and HR (section 4.1).
_GEOMETRY = {2: (6, 2, 2), 4: (8, 4, 2), 8: (12, 8, 2)}


class _BackProjectionNetwork(Network):
    """The layers that both networks have: the shallow features, the projections, and the tail.

    Args:
        scale: 2, 4 or 8.
        num_features: channels between the projections.
        num_shallow_features: channels of the first layer.
        num_stages: number of up-projections.
        num_recurrences: how often the features run through the projections.
        num_outputs: number of HR feature maps that the tail takes.
        channels: of input and output: 3 is RGB, and any other number bands.
    """

    def __init__(
        self,
        scale: int,
        num_features: int,
        num_shallow_features: int,
        num_stages: int,
        num_recurrences: int,
        num_outputs: int,
        channels: int,
    ) -> None:
        super().__init__()
        self.pixels = unnamed_pixels(channels)
        self.scale = scale
        self.num_stages = num_stages
        self.num_recurrences = num_recurrences
        self.shallow = nn.Sequential(
            *(nn.Conv2d(channels, num_shallow_features, kernel_size=3, padding=1), nn.PReLU()),
            *(nn.Conv2d(num_shallow_features, num_features, kernel_size=1), nn.PReLU()),
        )
        self.projections = DenseProjections(num_features, scale, num_stages)
        self.tail = nn.Conv2d(num_outputs * num_features, channels, kernel_size=3, padding=1)
        self.apply(_initialise)

    @property
    def descriptor(self) -> Descriptor:
        """The shallow features see 1 pixel, then come the projections, and the tail.

        At x2 the kernels of 6 span three LR pixels: a projection sees 3 more, and the tail 1. At x4
        and x8 only the outer pixels of an enlarged LR pixel see its neighbour, and only the nearest
        pixels of that: a down- and an up-projection together see 3 more LR pixels, and the last
        up-projection with the tail 2.
        """
        pairs = self.num_recurrences * (self.num_stages - 1)
        radius = 1 + 6 * pairs + 4 if self.scale == 2 else 1 + 3 * pairs + 2
        return Descriptor(
            scales=(self.scale,), receptive_field=radius, colour=self.colour, pixels=self.pixels
        )


@register
class DBPN(_BackProjectionNetwork):
    """D-DBPN (T = 7) and DBPN-LL (T = 10): the tail takes the HR features of all stages.

    Args:
        scale: 2, 4 or 8.
        num_features: channels between the projections (the paper's n_R).
        num_shallow_features: channels of the first layer (the paper's n_0).
        num_stages: up-projections (the paper's T), with a down-projection between any two.
        channels: of input and output: 3 is RGB, and any other number bands.

    Raises:
        ValueError: if the scale is another one, or there are fewer than two stages.
    """

    def __init__(
        self,
        *,
        scale: int,
        num_features: int = 64,
        num_shallow_features: int = 256,
        num_stages: int = 7,
        channels: int = 3,
    ) -> None:
        widths = (num_features, num_shallow_features)
        super().__init__(scale, *widths, num_stages, 1, num_stages, channels)

    def forward(self, lr: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, scale*H, scale*W), both 0..1 and not clipped."""
        highs, _ = self.projections(self.shallow(lr))  # T of (N, F, scale*H, scale*W)
        sr: Tensor = self.tail(torch.cat(highs, dim=1))
        return sr.float()


@register
class RecurrentDBPN(_BackProjectionNetwork):
    """DBPN-RES-MR64-3: the features run through the same projections several times.

    Args:
        scale: 2, 4 or 8.
        num_features: channels between the projections.
        num_shallow_features: channels of the first layer.
        num_stages: up-projections, with a down-projection between any two.
        num_recurrences: how often the features run through the projections; the tail takes the last
            HR features of each run.
        channels: of input and output: 3 is RGB, and any other number bands.

    Raises:
        ValueError: if the scale is another one, or there are fewer than two stages.
    """

    def __init__(
        self,
        *,
        scale: int,
        num_features: int = 64,
        num_shallow_features: int = 256,
        num_stages: int = 7,
        num_recurrences: int = 3,
        channels: int = 3,
    ) -> None:
        widths = (num_features, num_shallow_features)
        super().__init__(scale, *widths, num_stages, num_recurrences, num_recurrences, channels)
        # The authors' skip is Pillow's on 8 bits, which clips to 0..255 after each of its two
        # passes. MATLAB's overshoots there: beside hard edges the two differ by ten levels or more.
        self.skip = BicubicSkip(scale)

    def forward(self, lr: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, scale*H, scale*W), both 0..1 and not clipped."""
        low = self.shallow(lr)  # (N, F, H, W)
        newest = []
        for _ in range(self.num_recurrences):
            highs, lows = self.projections(low)
            newest.append(highs[0])  # (N, F, scale*H, scale*W)
            low = lows[0]
        residual: Tensor = self.tail(torch.cat(newest, dim=1))
        bicubic: Tensor = self.skip(lr)
        return bicubic + residual.float()


class DenseProjections(nn.Module):
    """Alternating up- and down-projections, each with dense connections to all before it."""

    def __init__(self, num_features: int, scale: int, num_stages: int) -> None:
        """Raise ValueError for a scale or number of stages that DBPN does not have."""
        super().__init__()
        if scale not in _GEOMETRY:
            raise ValueError(f"dbpn has no x{scale}; it has x2, x4 and x8")
        if num_stages < 2:
            raise ValueError(f"num_stages: dbpn has at least 2, not {num_stages}")
        # The first up-projection takes the shallow features, a later one all LR features so far.
        inputs = [1, *range(1, num_stages)]
        self.up = nn.ModuleList(UpProjection(num_features, scale, n) for n in inputs)
        self.down = nn.ModuleList(DownProjection(num_features, scale, n) for n in inputs[1:])

    def forward(self, low: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """(N, F, H, W) to T of (N, F, scale*H, scale*W) and T - 1 of (N, F, H, W), newest first."""
        highs: list[Tensor] = [self.up[0](low)]
        lows: list[Tensor] = []
        for down, up in zip(self.down, self.up[1:], strict=True):
            lows.insert(0, down(torch.cat(highs, dim=1)))
            highs.insert(0, up(torch.cat(lows, dim=1)))
        return highs, lows


class UpProjection(nn.Module):
    """Enlarge, reduce again, and add the enlarged difference (section 3.1)."""

    def __init__(self, num_features: int, scale: int, num_inputs: int) -> None:
        super().__init__()
        self.squeeze = _squeeze(num_features, num_inputs)
        self.up = _up(num_features, scale)
        self.back = _down(num_features, scale)
        self.up_error = _up(num_features, scale)

    def forward(self, lows: Tensor) -> Tensor:
        """(N, num_inputs*F, H, W) to (N, F, scale*H, scale*W)."""
        low = self.squeeze(lows)
        high = self.up(low)
        corrected: Tensor = high + self.up_error(self.back(high) - low)
        return corrected


class DownProjection(nn.Module):
    """Reduce, enlarge again, and add the reduced difference (section 3.2)."""

    def __init__(self, num_features: int, scale: int, num_inputs: int) -> None:
        super().__init__()
        self.squeeze = _squeeze(num_features, num_inputs)
        self.down = _down(num_features, scale)
        self.back = _up(num_features, scale)
        self.down_error = _down(num_features, scale)

    def forward(self, highs: Tensor) -> Tensor:
        """(N, num_inputs*F, scale*H, scale*W) to (N, F, H, W)."""
        high = self.squeeze(highs)
        low = self.down(high)
        corrected: Tensor = low + self.down_error(self.back(low) - high)
        return corrected


def _squeeze(num_features: int, num_inputs: int) -> nn.Module:
    """Return a 1 x 1 convolution from several inputs to one; the identity for a single input."""
    if num_inputs == 1:
        return nn.Identity()
    wide = num_inputs * num_features
    return nn.Sequential(nn.Conv2d(wide, num_features, kernel_size=1), nn.PReLU())


def _up(num_features: int, scale: int) -> nn.Sequential:
    deconvolution = nn.ConvTranspose2d(num_features, num_features, *_GEOMETRY[scale])
    return nn.Sequential(deconvolution, nn.PReLU())


def _down(num_features: int, scale: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(num_features, num_features, *_GEOMETRY[scale]), nn.PReLU())


def _initialise(module: nn.Module) -> None:
    """Initialise as He et al. 2015 (section 4.1): the paths through the network are long."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
