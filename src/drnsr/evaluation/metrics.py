"""PSNR, SSIM and VIF by torchmetrics, the first two with the settings that make them MATLAB's."""

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
    visual_information_fidelity,
)

# Half of SSIM's 11 x 11 window: MATLAB averages only where the whole window fits.
_WINDOW_MARGIN = 5

_VIF_SMALLEST_SIDE = 41


def psnr(image: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Peak signal-to-noise ratio in dB of two (H, W, C) pictures of 0..255; infinity if equal."""
    return float(
        peak_signal_noise_ratio(
            _to_batch(image),
            _to_batch(reference),
            data_range=255.0,
            dim=(1, 2, 3),
            reduction="elementwise_mean",
        )
    )


def ssim(image: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Structural similarity (Wang 2004) of two (H, W, C) pictures of 0..255, at least 11 x 11.

    Gaussian window 11 x 11, sigma 1.5, K = (0.01, 0.03), averaged over the valid region and
    the channels.
    """
    _, full = structural_similarity_index_measure(
        _to_batch(image),
        _to_batch(reference),
        data_range=255.0,
        sigma=1.5,
        k1=0.01,
        k2=0.03,
        return_full_image=True,
    )
    inside = slice(_WINDOW_MARGIN, -_WINDOW_MARGIN)
    return float(full[0, :, inside, inside].mean())


def vif(image: NDArray[np.float64], reference: NDArray[np.float64]) -> float | None:
    """Visual information fidelity (Sheikh and Bovik 2006, in the pixel domain), of 0..255.

    How much of what a person could see in the reference can be seen in the picture: 1 if they are
    equal, more if the picture has more contrast.

    Returns:
        The mean over the channels; None below 41 x 41 pixels, where its windows do not fit.
    """
    if min(image.shape[:2]) < _VIF_SMALLEST_SIDE:
        return None
    return float(visual_information_fidelity(_to_batch(image), _to_batch(reference)))


def _to_batch(picture: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
