"""VGG19's convolutions (Simonyan and Zisserman 2015), whose features a perceptual loss compares."""

import torch
from torch import Tensor, nn

# Channels of the 3 x 3 convolutions between the poolings (the paper's table 1, column E).
_BLOCKS = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)

# The published weights were trained with ImageNet's mean colour and deviation, 0..1.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


class VGG19Features(nn.Module):
    """VGG19 up to conv5_4, before its activation; ESRGAN compares pictures by these features.

    Features before the activation are less sparse and preserve brightness (Wang et al. 2018,
    section 3.3). The layers have the names of the published ImageNet weights, ``features.0.weight``
    to ``features.34.bias``.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for number, block in enumerate(_BLOCKS):
            if number > 0:
                layers.append(nn.MaxPool2d(kernel_size=2))
            for wider in block:
                convolution = nn.Conv2d(channels, wider, kernel_size=3, padding=1)
                # Preserve the features' variance from layer to layer (He et al. 2015).
                nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
                assert convolution.bias is not None
                nn.init.zeros_(convolution.bias)
                layers += [convolution, nn.ReLU()]
                channels = wider
        self.features = nn.Sequential(*layers[:-1])
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer(
            "deviation", torch.tensor(_DEVIATION).view(1, 3, 1, 1), persistent=False
        )

    def forward(self, picture: Tensor) -> Tensor:
        """(N, 3, H, W), 0..1, H and W at least 16, to (N, 512, H // 16, W // 16)."""
        features: Tensor = self.features((picture - self.mean) / self.deviation)
        return features
