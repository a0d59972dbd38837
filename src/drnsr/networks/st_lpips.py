"""ST-LPIPS, a learned distance of pictures (Ghildyal and Liu 2022)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# The network was trained with ImageNet's mean colour and deviation, for -1..1 (LPIPS, Zhang 2018).
_MEAN = (-0.030, -0.088, -0.188)
_DEVIATION = (0.458, 0.448, 0.450)

_SMALLEST_SIDE = 24  # below, no 3 x 3 positions are left for the third layer


class STLPIPS(nn.Module):
    """The distance between the features that an AlexNet has of two pictures: 0 if they are equal.

    LPIPS (Zhang et al. 2018) compares the features of five layers, each normalized to unit length,
    and adds up the squared differences with a learned weight for each channel. This variant (the
    paper's section 4) moves less if a picture is shifted by a pixel: the first convolution has a
    stride of 1, and each subsampling blurs first. The parameters have the names of the published
    weights ``alex_shift_tolerant.pth``, so that these load as they are.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scaling_layer = _Scaling()
        self.net = nn.ModuleDict(
            {
                # In the order of the paper's figure; the numbers are those of the published layers.
                "slice1": _slice({"0": nn.Conv2d(3, 64, 11, padding=2), "1": _BlurPool(64)}),
                "slice2": _slice(
                    {"3": _max_pool(), "4": _BlurPool(64), "5": nn.Conv2d(64, 192, 5, padding=2)}
                ),
                "slice3": _slice(
                    {"7": _max_pool(), "8": _BlurPool(192), "9": nn.Conv2d(192, 384, 3, padding=1)}
                ),
                "slice4": _slice({"11": nn.Conv2d(384, 256, 3, padding=1)}),
                "slice5": _slice({"13": nn.Conv2d(256, 256, 3, padding=1)}),
            }
        )
        for number, channels in enumerate((64, 192, 384, 256, 256)):
            self.add_module(f"lin{number}", _ChannelWeights(channels))

    def features(self, picture: Tensor) -> list[Tensor]:
        """(N, 3, H, W), 0..1, H and W at least 32, to the activations of the five layers."""
        return _activations(self.scaling_layer, self.net, picture)

    def forward(self, picture: Tensor, reference: Tensor) -> Tensor:
        """Two batches, (N, 3, H, W), 0..1, H and W at least 32, to their distances, (N,)."""
        total = picture.new_zeros(len(picture))
        pairs = zip(self.features(picture), self.features(reference), strict=True)
        for number, (first, second) in enumerate(pairs):
            difference = (_unit_length(first) - _unit_length(second)) ** 2
            total = total + self.get_submodule(f"lin{number}")(difference).mean(dim=(1, 2, 3))
        return total


class STLPIPSFeatures(nn.Module):
    """Layers of ST-LPIPS's AlexNet after their activation, for a perceptual loss.

    The parameters have the names of the published weights, as those of :class:`STLPIPS`.

    Args:
        layers: names of convolutions, from ``conv1`` to ``conv5``. The network ends with the last.

    Raises:
        ValueError: if there is no such layer; and by :meth:`forward`, if a picture is too small.
    """

    def __init__(self, *, layers: Sequence[str] = ("conv5",)) -> None:
        super().__init__()
        known = [f"conv{number}" for number in range(1, 6)]
        unknown = [name for name in layers if name not in known]
        if unknown or not layers:
            raise ValueError(f"layers: {list(layers)} are not among {', '.join(known)}")
        self._positions = [known.index(name) for name in layers]
        whole = STLPIPS()
        self.scaling_layer = whole.scaling_layer
        self.net = nn.ModuleDict(dict(list(whole.net.items())[: max(self._positions) + 1]))

    def forward(self, picture: Tensor) -> list[Tensor]:
        """(N, 3, H, W), 0..1, H and W at least 24, to the layers in their order."""
        height, width = picture.shape[2:]
        if min(height, width) < _SMALLEST_SIDE:
            raise ValueError(
                f"crops of {_SMALLEST_SIDE} x {_SMALLEST_SIDE} pixels or more are compared, not"
                f" {width} x {height}"
            )
        found = _activations(self.scaling_layer, self.net, picture)
        return [found[position] for position in self._positions]


def _activations(scaling: nn.Module, net: nn.ModuleDict, picture: Tensor) -> list[Tensor]:
    hidden = scaling(2 * picture - 1)
    layers = []
    for layer in net.values():
        hidden = F.relu(layer(hidden))
        layers.append(hidden)
    return layers


class _Scaling(nn.Module):
    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(_DEVIATION).view(1, 3, 1, 1))

    def forward(self, picture: Tensor) -> Tensor:
        return (picture - self.shift) / self.scale


class _BlurPool(nn.Module):
    """Blur with the binomial filter [1 2 1] / 4, then take every second pixel (Zhang 2019).

    The border is reflected by two pixels.
    """

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("filt", torch.outer(row, row).expand(channels, 1, 3, 3).clone())

    def forward(self, hidden: Tensor) -> Tensor:
        padded = _reflected(_reflected(hidden, 2), 3)
        return F.conv2d(padded, self.filt, stride=2, groups=hidden.shape[1])


class _ChannelWeights(nn.Module):
    """A learned weight for each channel, without dropout: (N, C, H, W) to (N, 1, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = _slice({"1": nn.Conv2d(channels, 1, 1, bias=False)})

    def forward(self, hidden: Tensor) -> Tensor:
        weighted: Tensor = self.model(hidden)
        return weighted


def _reflected(hidden: Tensor, dim: int) -> Tensor:
    """Reflect two pixels at both ends. On CUDA torch's own has no deterministic gradient."""
    first = [hidden.narrow(dim, position, 1) for position in (2, 1)]
    last = [hidden.narrow(dim, hidden.shape[dim] - position, 1) for position in (2, 3)]
    return torch.cat([*first, hidden, *last], dim)


def _max_pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=1)


def _slice(layers: dict[str, nn.Module]) -> nn.Sequential:
    result = nn.Sequential()
    for name, layer in layers.items():
        result.add_module(name, layer)
    return result


def _unit_length(features: Tensor) -> Tensor:
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
