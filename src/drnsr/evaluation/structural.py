"""Two metrics of structure, computed in windows: SSIM and VIF.

They are written by hand, as torchmetrics convolves in double precision with whole windows, which
takes 121 to 289 products a pixel and half a gigabyte beside a picture of Urban100. A Gaussian
window is the product of two of one dimension, so OpenCV's separable filter gives the same means
with 22 to 34. The tests hold both metrics to torchmetrics.
"""

from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.float64]
"""(H, W, C) of 0..255: what a protocol compares."""

_SSIM_SIDE, _SSIM_SIGMA = 11, 1.5
_SSIM_LUMINANCE, _SSIM_CONTRAST = (0.01 * 255) ** 2, (0.03 * 255) ** 2

# From the program of the paper: four scales, each with half the window of the one before, whose
# sigma is a fifth of its side. The smallest picture is one that the last window fits into.
_VIF_SIDES = (17, 9, 5, 3)
_VIF_SMALLEST_SIDE = 41
_VIF_NOISE = 2.0  # variance of the noise of the human visual system
_VIF_FLAT = 1e-10  # a smaller variance is rounding


def ssim(image: Planes, reference: Planes) -> float:
    """Structural similarity (Wang 2004) of two (H, W, C) pictures of 0..255, at least 11 x 11.

    Gaussian window 11 x 11, sigma 1.5, K = (0.01, 0.03), averaged over the valid region and
    the channels.
    """
    return fmean(map(_ssim_of_channel, channels_first(image), channels_first(reference)))


def vif(image: Planes, reference: Planes) -> float | None:
    """Visual information fidelity (Sheikh and Bovik 2006, in the pixel domain), of 0..255.

    The share of the information in the reference that a person can still extract from the picture:
    1 if they are equal, more if the picture has more contrast.

    Returns:
        The mean over the channels; None below 41 x 41 pixels, where its windows do not fit, and
        where a channel of the reference has one value everywhere and so holds no information.
    """
    if min(image.shape[:2]) < _VIF_SMALLEST_SIDE:
        return None
    ratios = list(map(_vif_of_channel, channels_first(image), channels_first(reference)))
    return None if None in ratios else fmean(ratio for ratio in ratios if ratio is not None)


def _ssim_of_channel(image: Planes, reference: Planes) -> float:
    window = _gaussian(_SSIM_SIDE, _SSIM_SIGMA)
    moments = _Moments.of(image, reference, window)
    luminance = (2 * moments.mean_image * moments.mean_reference + _SSIM_LUMINANCE) / (
        moments.mean_image**2 + moments.mean_reference**2 + _SSIM_LUMINANCE
    )
    contrast = (2 * moments.covariance + _SSIM_CONTRAST) / (
        moments.variance_image + moments.variance_reference + _SSIM_CONTRAST
    )
    return float(np.mean(luminance * contrast))


def _vif_of_channel(image: Planes, reference: Planes) -> float | None:
    preserved, available = 0.0, 0.0
    for side in _VIF_SIDES:
        window = _gaussian(side, side / 5)
        if side != _VIF_SIDES[0]:
            image = _window_means(image, window)[::2, ::2]
            reference = _window_means(reference, window)[::2, ::2]
        moments = _Moments.of(image, reference, window)
        # The model of the paper: in each window the picture is gain * reference + noise.
        signal = np.where(moments.variance_reference < _VIF_FLAT, 0, moments.variance_reference)
        gain = np.maximum(moments.covariance / (moments.variance_reference + _VIF_FLAT), 0)
        gain[(signal == 0) | (moments.variance_image < _VIF_FLAT)] = 0
        noise = np.maximum(moments.variance_image - gain * moments.covariance, _VIF_FLAT)
        preserved += float(np.log10(1 + gain**2 * signal / (noise + _VIF_NOISE)).sum())
        available += float(np.log10(1 + signal / _VIF_NOISE).sum())
    return preserved / available if available > 0 else None


@dataclass(frozen=True)
class _Moments:
    """The moments of two channels in each window that fits into them."""

    mean_image: Planes
    mean_reference: Planes
    variance_image: Planes
    variance_reference: Planes
    covariance: Planes

    @classmethod
    def of(cls, image: Planes, reference: Planes, window: Planes) -> "_Moments":
        mean_image, mean_reference = (_window_means(each, window) for each in (image, reference))
        # Rounding can take a variance of zero below it.
        return cls(
            mean_image,
            mean_reference,
            np.maximum(_window_means(image**2, window) - mean_image**2, 0),
            np.maximum(_window_means(reference**2, window) - mean_reference**2, 0),
            _window_means(image * reference, window) - mean_image * mean_reference,
        )


def _window_means(channel: Planes, window: Planes) -> Planes:
    """Return the mean in each window that fits into (H, W): (H - side + 1, W - side + 1)."""
    import cv2

    margin = len(window) // 2
    filtered: Planes = cv2.sepFilter2D(channel, cv2.CV_64F, window, window)
    return filtered[margin:-margin, margin:-margin]


def _gaussian(side: int, sigma: float) -> Planes:
    """Return the weights of a window of one dimension, whose sum is 1."""
    distance = np.arange(side) - (side - 1) / 2
    weights = np.exp(-((distance / sigma) ** 2) / 2)
    normalized: Planes = weights / weights.sum()
    return normalized


def channels_first(picture: Planes) -> Planes:
    """Return the channels one after another, (C, H, W)."""
    return np.ascontiguousarray(np.moveaxis(picture, 2, 0))
