"""The resize that is checked against MATLAB's own files, on the networks' batches."""

import numpy as np
import torch

from drnsr.images.resize import upscale


def matlab_bicubic(pictures, scale, border="replicate"):
    """(N, C, H, W) floats to (N, C, scale*H, scale*W)."""
    enlarged = [
        upscale(picture.permute(1, 2, 0).numpy(), scale, border=border) for picture in pictures
    ]
    return torch.from_numpy(np.stack(enlarged)).permute(0, 3, 1, 2)


def count(network):
    """How many numbers are trained."""
    return sum(parameter.numel() for parameter in network.parameters())
