"""The metrics by name: how each is computed, and how its numbers are shown.

PSNR is torchmetrics'. SSIM and VIF are written here: torchmetrics convolves in double precision
with whole windows, which takes 121 to 289 products a pixel and half a gigabyte beside a picture of
Urban100. A Gaussian window is the product of two of one dimension, so OpenCV's separable filter
gives the same means with 22 to 34. The tests hold both metrics to torchmetrics.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.image import peak_signal_noise_ratio

from drnsr.errors import UserError

Planes = NDArray[np.float64]
"""(H, W, C) of 0..255: what a protocol compares."""

_SSIM_SIDE, _SSIM_SIGMA = 11, 1.5
_SSIM_LUMINANCE, _SSIM_CONTRAST = (0.01 * 255) ** 2, (0.03 * 255) ** 2

# From the paper's program: four scales, each with half the window of the last, whose sigma is a
# fifth of its side. The smallest picture is one that the last window fits into.
_VIF_SIDES = (17, 9, 5, 3)
_VIF_SMALLEST_SIDE = 41
_VIF_NOISE = 2.0  # variance of what the eye adds
_VIF_FLAT = 1e-10  # a smaller variance is rounding


class MetricError(UserError):
    """A metric that there is none of."""


@dataclass(frozen=True)
class Metric:
    """A number that says how like the reference a picture is.

    Attributes:
        name: on the command line and in files.
        label: in tables.
        compute: from the picture and the reference, (H, W, C) of 0..255 in double precision; None
            where the metric is not defined.
        unit: such as "dB"; empty where it has none.
        digits: after the decimal point, in tables.
        higher_is_better: whether the more alike have the larger number.
    """

    name: str
    label: str
    compute: Callable[[Planes, Planes], float | None]
    unit: str
    digits: int
    higher_is_better: bool

    @property
    def heading(self) -> str:
        """Of a table's column."""
        return f"{self.label} in {self.unit}" if self.unit else self.label

    def text(self, value: float | None) -> str:
        """A number of this metric, for people."""
        return "-" if value is None else f"{value:.{self.digits}f}"


def psnr(image: Planes, reference: Planes) -> float:
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


def ssim(image: Planes, reference: Planes) -> float:
    """Structural similarity (Wang 2004) of two (H, W, C) pictures of 0..255, at least 11 x 11.

    Gaussian window 11 x 11, sigma 1.5, K = (0.01, 0.03), averaged over the valid region and
    the channels.
    """
    return fmean(map(_ssim_of_channel, _channels(image), _channels(reference)))


def vif(image: Planes, reference: Planes) -> float | None:
    """Visual information fidelity (Sheikh and Bovik 2006, in the pixel domain), of 0..255.

    How much of what a person could see in the reference can be seen in the picture: 1 if they are
    equal, more if the picture has more contrast.

    Returns:
        The mean over the channels; None below 41 x 41 pixels, where its windows do not fit, and
        where a channel of the reference is one colour, in which there is nothing to be seen.
    """
    if min(image.shape[:2]) < _VIF_SMALLEST_SIDE:
        return None
    ratios = list(map(_vif_of_channel, _channels(image), _channels(reference)))
    return None if None in ratios else fmean(ratio for ratio in ratios if ratio is not None)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("psnr", "PSNR", psnr, unit="dB", digits=3, higher_is_better=True),
        Metric("ssim", "SSIM", ssim, unit="", digits=4, higher_is_better=True),
        Metric("vif", "VIF", vif, unit="", digits=3, higher_is_better=True),
    )
}

PUBLISHED = (METRICS["psnr"], METRICS["ssim"])
"""What papers report."""


def get_metrics(names: Iterable[str]) -> tuple[Metric, ...]:
    """Metrics by their names, each once.

    Raises:
        MetricError: there is no such metric, or none was named.
    """
    names = list(dict.fromkeys(name.strip() for name in names))
    for name in names:
        if name not in METRICS:
            raise MetricError(f"metrics: {name!r} is unknown (known: {', '.join(METRICS)})")
    return tuple(METRICS[name] for name in names)


def _ssim_of_channel(image: Planes, reference: Planes) -> float:
    window = _gaussian(_SSIM_SIDE, _SSIM_SIGMA)
    found = _Moments.of(image, reference, window)
    luminance = (2 * found.mean_image * found.mean_reference + _SSIM_LUMINANCE) / (
        found.mean_image**2 + found.mean_reference**2 + _SSIM_LUMINANCE
    )
    contrast = (2 * found.covariance + _SSIM_CONTRAST) / (
        found.variance_image + found.variance_reference + _SSIM_CONTRAST
    )
    return float(np.mean(luminance * contrast))


def _vif_of_channel(image: Planes, reference: Planes) -> float | None:
    seen, visible = 0.0, 0.0
    for side in _VIF_SIDES:
        window = _gaussian(side, side / 5)
        if side != _VIF_SIDES[0]:
            image = _window_means(image, window)[::2, ::2]
            reference = _window_means(reference, window)[::2, ::2]
        found = _Moments.of(image, reference, window)
        # The picture is taken as gain * reference + noise, in each window.
        signal = np.where(found.variance_reference < _VIF_FLAT, 0, found.variance_reference)
        gain = np.maximum(found.covariance / (found.variance_reference + _VIF_FLAT), 0)
        gain[(signal == 0) | (found.variance_image < _VIF_FLAT)] = 0
        noise = np.maximum(found.variance_image - gain * found.covariance, _VIF_FLAT)
        seen += float(np.log10(1 + gain**2 * signal / (noise + _VIF_NOISE)).sum())
        visible += float(np.log10(1 + signal / _VIF_NOISE).sum())
    return seen / visible if visible > 0 else None


@dataclass(frozen=True)
class _Moments:
    """Of two channels within each window that fits into them."""

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
    """The mean in each window that fits into (H, W): (H - side + 1, W - side + 1)."""
    margin = len(window) // 2
    filtered: Planes = cv2.sepFilter2D(channel, cv2.CV_64F, window, window)
    return filtered[margin:-margin, margin:-margin]


def _gaussian(side: int, sigma: float) -> Planes:
    """The weights of a window of one dimension, whose sum is 1."""
    distance = np.arange(side) - (side - 1) / 2
    weights = np.exp(-((distance / sigma) ** 2) / 2)
    normalized: Planes = weights / weights.sum()
    return normalized


def _channels(picture: Planes) -> Planes:
    """(C, H, W): the channels one after another."""
    return np.ascontiguousarray(np.moveaxis(picture, 2, 0))


def _to_batch(picture: Planes) -> torch.Tensor:
    return torch.from_numpy(_channels(picture))[None]
