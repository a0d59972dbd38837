"""VGG19's convolutions (Simonyan and Zisserman 2015), whose features a perceptual loss compares."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# Channels of the 3 x 3 convolutions between the poolings (the paper's table 1, column E).
_BLOCKS = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)

# The published weights were trained with ImageNet's mean colour and deviation, 0..1.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


class VGG19Features(nn.Module):
    """Layers of VGG19 before their activation, by which a perceptual loss compares pictures.

    Features before the activation are less sparse and preserve brightness (Wang et al. 2018,
    section 3.3). The parameters have the names of the published ImageNet weights,
    ``features.0.weight`` to ``features.34.bias``.

    Args:
        layers: names of convolutions as in the papers, from ``conv1_1`` to ``conv5_4``. The network
            ends with the last of them.

    Raises:
        ValueError: if there is no such layer.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, *, layers: Sequence[str] = ("conv5_4",)) -> None:
        super().__init__()
        modules: list[nn.Module] = []
        positions: dict[str, int] = {}  # of the convolutions, by name
        channels = 3
        for block_number, block in enumerate(_BLOCKS, start=1):
            if block_number > 1:
                modules.append(nn.MaxPool2d(kernel_size=2))
            for number, wider in enumerate(block, start=1):
                positions[f"conv{block_number}_{number}"] = len(modules)
                convolution = nn.Conv2d(channels, wider, kernel_size=3, padding=1)
                # Preserve the features' variance from layer to layer (He et al. 2015).
                nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
                assert convolution.bias is not None
                nn.init.zeros_(convolution.bias)
                modules += [convolution, nn.ReLU()]
                channels = wider
        unknown = [name for name in layers if name not in positions]
        if unknown or not layers:
            raise ValueError(f"layers: {list(layers)} are not among {', '.join(positions)}")
        self._positions = [positions[name] for name in layers]
        self.features = nn.Sequential(*modules[: max(self._positions) + 1])
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer(
            "deviation", torch.tensor(_DEVIATION).view(1, 3, 1, 1), persistent=False
        )

    def forward(self, picture: Tensor) -> list[Tensor]:
        """(N, 3, H, W), 0..1, to the layers in their order; conv5_4: (N, 512, H // 16, W // 16)."""
        hidden, found = (picture - self.mean) / self.deviation, {}
        for position, module in enumerate(self.features):
            hidden = module(hidden)
            if position in self._positions:
                found[position] = hidden
        return [found[position] for position in self._positions]
