"""DBPN (Haris et al. 2018, "Deep Back-Projection Networks For Super-Resolution") and successor.

The successor is recurrent (Haris et al. 2019, arXiv:1904.05677).

Instead of enlarging once at the end, the features go up to HR and down to LR again and again; each
step corrects its own error, which it sees by going the way back.
"""

import torch
from torch import Tensor, nn

from drnsr.networks.base import Descriptor, Network
from drnsr.networks.layers import BicubicSkip

# Kernel, stride and padding of the (de)convolutions between LR and HR (section 4.1).
_GEOMETRY = {2: (6, 2, 2), 4: (8, 4, 2), 8: (12, 8, 2)}


class DBPN(Network):
    """D-DBPN (T = 7) and DBPN-LL (T = 10): the output is made from all HR features at once.

    Args:
        scale: 2, 4 or 8.
        num_features: channels between the projections (the paper's n_R).
        num_shallow_features: channels of the first layer (the paper's n_0).
        num_stages: up-projections (the paper's T), with a down-projection between any two.

    Raises:
        ValueError: another scale, or fewer than two stages.
    """

    def __init__(
        self,
        *,
        scale: int,
        num_features: int = 64,
        num_shallow_features: int = 256,
        num_stages: int = 7,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.num_features = num_features
        self.num_shallow_features = num_shallow_features
        self.num_stages = num_stages
        self.shallow = _shallow(num_shallow_features, num_features)
        self.projections = DenseProjections(num_features, scale, num_stages)
        self.tail = nn.Conv2d(num_stages * num_features, 3, kernel_size=3, padding=1)
        self.apply(_initialise)

    @property
    def descriptor(self) -> Descriptor:
        """See :func:`_reach`."""
        reach = _reach(self.scale, self.num_stages, num_recurrences=1)
        return Descriptor(scales=(self.scale,), receptive_field=reach)

    def forward(self, lr: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 3, scale*H, scale*W), both 0..1 and not clipped."""
        highs, _ = self.projections(self.shallow(lr))  # T of (N, F, scale*H, scale*W)
        sr: Tensor = self.tail(torch.cat(highs, dim=1))
        return sr.float()


class RecurrentDBPN(Network):
    """DBPN-RES-MR64-3: the same projections several times over, and a bicubic skip.

    Args:
        scale: 2, 4 or 8.
        num_features: channels between the projections.
        num_shallow_features: channels of the first layer.
        num_stages: up-projections, with a down-projection between any two.
        num_recurrences: how often the features run through them; the output is made from the last
            HR features of each run.

    Raises:
        ValueError: another scale, or fewer than two stages.
    """

    def __init__(
        self,
        *,
        scale: int,
        num_features: int = 64,
        num_shallow_features: int = 256,
        num_stages: int = 7,
        num_recurrences: int = 3,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.num_features = num_features
        self.num_shallow_features = num_shallow_features
        self.num_stages = num_stages
        self.num_recurrences = num_recurrences
        self.shallow = _shallow(num_shallow_features, num_features)
        self.projections = DenseProjections(num_features, scale, num_stages)
        self.tail = nn.Conv2d(num_recurrences * num_features, 3, kernel_size=3, padding=1)
        self.apply(_initialise)
        # Its authors' is Pillow's on 8 bits, which clips to 0..255 after each of its two passes.
        # MATLAB's overshoots there: beside hard edges the two differ by ten levels and more.
        self.skip = BicubicSkip(scale)

    @property
    def descriptor(self) -> Descriptor:
        """See :func:`_reach`."""
        reach = _reach(self.scale, self.num_stages, self.num_recurrences)
        return Descriptor(scales=(self.scale,), receptive_field=reach)

    def forward(self, lr: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 3, scale*H, scale*W), both 0..1 and not clipped."""
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
    """Up- and down-projections in turn, each fed with all that went before on its side."""

    def __init__(self, num_features: int, scale: int, num_stages: int) -> None:
        """Raise ValueError for a scale or number of stages that the family does not have."""
        super().__init__()
        if scale not in _GEOMETRY:
            raise ValueError(f"dbpn has no x{scale}; it has x2, x4 and x8")
        if num_stages < 2:
            raise ValueError(f"num_stages: dbpn has at least 2, not {num_stages}")
        # The first up-projection takes the shallow features, the later ones what came down so far.
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
    """Up, down again, and up with the difference (section 3.1)."""

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
    """Down, up again, and down with the difference (section 3.2)."""

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


def _shallow(num_shallow_features: int, num_features: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(3, num_shallow_features, kernel_size=3, padding=1), nn.PReLU()),
        *(nn.Conv2d(num_shallow_features, num_features, kernel_size=1), nn.PReLU()),
    )


def _squeeze(num_features: int, num_inputs: int) -> nn.Module:
    """Several inputs into one; a single one passes as it is."""
    if num_inputs == 1:
        return nn.Identity()
    wide = num_inputs * num_features
    return nn.Sequential(nn.Conv2d(wide, num_features, kernel_size=1), nn.PReLU())


def _up(num_features: int, scale: int) -> nn.Sequential:
    deconvolution = nn.ConvTranspose2d(num_features, num_features, *_GEOMETRY[scale])
    return nn.Sequential(deconvolution, nn.PReLU())


def _down(num_features: int, scale: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(num_features, num_features, *_GEOMETRY[scale]), nn.PReLU())


def _reach(scale: int, num_stages: int, num_recurrences: int) -> int:
    """The receptive field: shallow 1, then each down- and up-projection, the last up, the tail.

    At x2 the kernels of 6 span three LR pixels: a projection looks 3 further, and the tail 1.
    At x4 and x8 only the outer pixels of an enlarged LR pixel see its neighbour, and only the
    nearest ones of that: a down- and an up-projection together look 3 LR pixels further, and the
    last up-projection with the tail 2.
    """
    pairs = num_recurrences * (num_stages - 1)
    return 1 + 6 * pairs + 4 if scale == 2 else 1 + 3 * pairs + 2


def _initialise(module: nn.Module) -> None:
    """As He et al. 2015 (section 4.1): the paths through so many projections are long."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
