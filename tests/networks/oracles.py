"""Reference computations for networks: the resize that is tested against MATLAB's files."""

import numpy as np
import torch

from drnsr.images.resize import upscale


def matlab_bicubic(pictures, scale, border="replicate"):
    """Enlarge (N, C, H, W) floats to (N, C, scale*H, scale*W)."""
    enlarged = [
        upscale(picture.permute(1, 2, 0).numpy(), scale, border=border) for picture in pictures
    ]
    return torch.from_numpy(np.stack(enlarged)).permute(0, 3, 1, 2)


def count(network):
    """Return the number of trained values."""
    return sum(parameter.numel() for parameter in network.parameters())
