"""The pixels that an untrained network produces, which are bicubic, and their comparison."""

import numpy as np

from drnsr.images.resize import upscale


def bicubic(pixels: np.ndarray) -> np.ndarray:
    """Upscale (H, W, C) or (H, W) twice, without rounding between the passes."""
    planes = pixels.astype(np.float64).reshape(*pixels.shape[:2], -1)
    exact = upscale(planes, 2)
    if pixels.dtype.kind in "ui":
        limits = np.iinfo(pixels.dtype)
        exact = exact.round().clip(limits.min, limits.max)
    return exact.reshape(exact.shape[:2] if pixels.ndim == 2 else exact.shape)


def far(made: np.ndarray, wanted: np.ndarray) -> float:
    """Return the largest difference."""
    assert made.shape == wanted.shape
    return float(np.abs(made.astype(np.float64) - wanted).max())
