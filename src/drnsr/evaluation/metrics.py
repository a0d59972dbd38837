"""The metrics by name: how each is computed, shown and compared.

:data:`METRICS` is the one list of them. What evaluates, writes, tracks, draws or verifies iterates
over it, so that a metric is added by one function and one entry here.

PSNR is torchmetrics'. SSIM and VIF are written here: torchmetrics convolves in double precision
with whole windows, which takes 121 to 289 products a pixel and half a gigabyte beside a picture of
Urban100. A Gaussian window is the product of two of one dimension, so OpenCV's separable filter
gives the same means with 22 to 34. The tests hold both metrics to torchmetrics.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import fmean
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from drnsr.errors import UserError
from drnsr.evaluation.perceptual import NIQE_PACKAGE, ST_LPIPS_PACKAGE, niqe, st_lpips

if TYPE_CHECKING:
    from torch import Tensor

Planes = NDArray[np.float64]
"""(H, W, C) of 0..255: what a protocol compares."""

Values = Mapping[str, float | None]
"""Numbers by the name of their metric; None where a metric is not defined."""

_SSIM_SIDE, _SSIM_SIGMA = 11, 1.5
_SSIM_LUMINANCE, _SSIM_CONTRAST = (0.01 * 255) ** 2, (0.03 * 255) ** 2

# From the program of the paper: four scales, each with half the window of the one before, whose
# sigma is a fifth of its side. The smallest picture is one that the last window fits into.
_VIF_SIDES = (17, 9, 5, 3)
_VIF_SMALLEST_SIDE = 41
_VIF_NOISE = 2.0  # variance of the noise of the human visual system
_VIF_FLAT = 1e-10  # a smaller variance is rounding


class MetricError(UserError):
    """The name of a metric is unknown."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A measure of the quality of a picture.

    Attributes:
        name: on the command line, in files and in MLflow.
        label: in tables.
        function: computes it from the picture and, if ``needs_reference``, the reference, each
            (H, W, C) of 0..255 in double precision; returns None where the metric is not defined.
        unit: such as "dB"; empty if it has none.
        digits: after the decimal point, as papers print it.
        comparison_digits: after the decimal point, where close numbers are compared.
        higher_is_better: False for a distance.
        needs_reference: False for a metric of the picture alone.
        measured_on: "rgb", "y" or "bands" if it is defined on these channels alone. Of bands, one
            for "any" is the mean of those of each band.
        needs_scale: whether the function takes the scale of the super-resolution as ``scale``.
        reported: whether the stage ``evaluate`` computes it, and so the tables, MLflow, the report
            and the card show it. ``drnsr evaluate --metrics`` computes every metric.
        tolerance: by how much our number may differ from a published one, in its unit; None if no
            published number of it is known. A column of ``published_results.csv`` has the numbers.
        package: the package that has its parameters; None if it needs none.
        pool: computes the metric of all pixels of a set at once from the values and the numbers of
            pixels of its pictures; None if only the mean over the pictures is defined.
    """

    name: str
    label: str
    function: Callable[..., float | None]
    unit: str = ""
    digits: int
    comparison_digits: int
    higher_is_better: bool
    needs_reference: bool = True
    measured_on: Literal["rgb", "y", "bands", "any"] = "any"
    needs_scale: bool = False
    reported: bool
    tolerance: float | None = None
    package: str | None = None
    pool: Callable[[Sequence[float], Sequence[int]], float] | None = None

    def compute(self, image: Planes, reference: Planes, scale: int) -> float | None:
        """Compute the metric of a picture, (H, W, C) of 0..255; None where it is not defined."""
        planes = (image, reference) if self.needs_reference else (image,)
        return self.function(*planes, scale=scale) if self.needs_scale else self.function(*planes)

    @property
    def heading(self) -> str:
        """The label with the unit, such as ``PSNR in dB``."""
        return f"{self.label} in {self.unit}" if self.unit else self.label

    @property
    def column(self) -> str:
        """The column of published numbers: the name with the unit, such as ``psnr_db``."""
        return f"{self.name}_{self.unit.lower()}" if self.unit else self.name

    def text(
        self, value: float | None, *, sign: bool = False, unit: bool = False, compared: bool = False
    ) -> str:
        """Format a value.

        Args:
            value: None is shown as ``-``.
            sign: write the sign of a positive number too.
            unit: append the unit.
            compared: write ``comparison_digits``.
        """
        if value is None:
            return "-"
        digits = self.comparison_digits if compared else self.digits
        number = f"{value:{'+' * sign}.{digits}f}"
        return f"{number} {self.unit}" if unit and self.unit else number

    def improves(self, gain: float | None) -> bool:
        """Whether a difference, the second value minus the first, is an improvement."""
        return gain is not None and (gain > 0 if self.higher_is_better else gain < 0)


def psnr(image: Planes, reference: Planes) -> float:
    """Peak signal-to-noise ratio in dB of two (H, W, C) pictures of 0..255; infinite if equal."""
    # Imported here: the names of the metrics stand in the help of a command.
    from torchmetrics.functional.image import peak_signal_noise_ratio

    return float(
        peak_signal_noise_ratio(
            _to_batch(image),
            _to_batch(reference),
            data_range=255.0,
            dim=(1, 2, 3),
            reduction="elementwise_mean",
        )
    )


def pooled_psnr(values: Sequence[float], pixels: Sequence[int]) -> float:
    """Return the PSNR in dB of all pixels of a set from the PSNR and the pixels of each picture."""
    errors = [10 ** (-value / 10) for value in values]
    return -10 * math.log10(fmean(errors, weights=pixels))


def ssim(image: Planes, reference: Planes) -> float:
    """Structural similarity (Wang 2004) of two (H, W, C) pictures of 0..255, at least 11 x 11.

    Gaussian window 11 x 11, sigma 1.5, K = (0.01, 0.03), averaged over the valid region and
    the channels.
    """
    return fmean(map(_ssim_of_channel, _channels(image), _channels(reference)))


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
    ratios = list(map(_vif_of_channel, _channels(image), _channels(reference)))
    return None if None in ratios else fmean(ratio for ratio in ratios if ratio is not None)


def sam(image: Planes, reference: Planes) -> float | None:
    """Mean spectral angle in degrees (Kruse 1993) between the bands of two (H, W, C) pictures.

    Pixels whose bands are all 0 in either picture have no angle, and are left out.

    Returns:
        None for a single band, and if no pixel has an angle.
    """
    from torchmetrics.functional.image import spectral_angle_mapper

    if image.shape[2] == 1:
        return None
    has_angle = image.any(axis=2) & reference.any(axis=2)
    if not has_angle.any():
        return None
    # One row of pixels, (1, C, 1, N).
    first, second = (_to_batch(picture[has_angle][None]) for picture in (image, reference))
    return math.degrees(float(spectral_angle_mapper(first, second)))


def ergas(image: Planes, reference: Planes, scale: int) -> float | None:
    """ERGAS (Wald 2002), the relative error of all bands in percent, divided by the scale.

    Returns:
        None if a band of the reference has the mean 0.
    """
    from torchmetrics.functional.image import (
        error_relative_global_dimensionless_synthesis as relative_error,
    )

    if not reference.mean(axis=(0, 1)).all():
        return None
    return float(relative_error(_to_batch(image), _to_batch(reference), ratio=scale))


METRICS = {
    metric.name: metric
    for metric in (
        # Published with two and four digits. A wrong kernel, border, channel or gray picture is
        # worth 0.02 dB and more.
        Metric(
            name="psnr",
            label="PSNR",
            function=psnr,
            unit="dB",
            digits=2,
            comparison_digits=3,
            higher_is_better=True,
            reported=True,
            tolerance=0.01,
            pool=pooled_psnr,
        ),
        Metric(
            name="ssim",
            label="SSIM",
            function=ssim,
            digits=4,
            comparison_digits=4,
            higher_is_better=True,
            reported=True,
            tolerance=0.001,
        ),
        Metric(
            name="sam",
            label="SAM",
            function=sam,
            unit="degrees",
            digits=3,
            comparison_digits=3,
            higher_is_better=False,
            measured_on="bands",
            reported=True,
        ),
        Metric(
            name="ergas",
            label="ERGAS",
            function=ergas,
            digits=3,
            comparison_digits=3,
            higher_is_better=False,
            measured_on="bands",
            needs_scale=True,
            reported=True,
        ),
        Metric(
            name="vif",
            label="VIF",
            function=vif,
            digits=3,
            comparison_digits=3,
            higher_is_better=True,
            reported=False,
        ),
        Metric(
            name="niqe",
            label="NIQE",
            function=niqe,
            digits=2,
            comparison_digits=3,
            higher_is_better=False,
            needs_reference=False,
            measured_on="y",
            reported=False,
            package=NIQE_PACKAGE,
        ),
        Metric(
            name="st_lpips",
            label="ST-LPIPS",
            function=st_lpips,
            digits=3,
            comparison_digits=4,
            higher_is_better=False,
            measured_on="rgb",
            reported=False,
            package=ST_LPIPS_PACKAGE,
        ),
    )
}

PRIMARY = METRICS["psnr"]
"""The metric that decides where one number must: the best job of a sweep, promotion, headlines."""


def reported_metrics(measured_on: str = "any") -> tuple[Metric, ...]:
    """Return the metrics that the stage ``evaluate`` computes.

    Args:
        measured_on: the channels that a protocol compares: metrics of bands are for "bands" alone.
            "any" for those of all protocols.
    """
    reported = [metric for metric in METRICS.values() if metric.reported]
    of_bands = measured_on in ("bands", "any")
    return tuple(metric for metric in reported if metric.measured_on != "bands" or of_bands)


def known_metrics(values: Values) -> tuple[Metric, ...]:
    """Return the metrics of some values, in the order of the registry.

    Files of earlier and later versions may have fewer metrics, and others.
    """
    return tuple(metric for name, metric in METRICS.items() if name in values)


def get_metrics(names: Iterable[str]) -> tuple[Metric, ...]:
    """Return metrics by their names, each once.

    Raises:
        MetricError: if a name is unknown, or the package with its parameters is not installed.
    """
    names = list(dict.fromkeys(name.strip() for name in names))
    for name in names:
        if name not in METRICS:
            raise MetricError(f"metrics: {name!r} is unknown (known: {', '.join(METRICS)})")
        package = METRICS[name].package
        if package is not None and find_spec(package) is None:
            raise MetricError(
                f"metrics: {name} needs the package {package}; `pip install 'drnsr[perceptual]'`"
                " installs it"
            )
    return tuple(METRICS[name] for name in names)


def subtract(first: Values, second: Values) -> dict[str, float | None]:
    """Return the differences, first minus second, of the metrics that both have.

    A difference is None where one of the two values is.
    """
    return {name: _difference(first[name], second[name]) for name in first if name in second}


def values_text(
    values: Values, metrics: Iterable[Metric], *, sign: bool = False, compared: bool = False
) -> str:
    """Format the values of several metrics for one cell, such as ``33.66 / 0.9299``."""
    return " / ".join(
        metric.text(values.get(metric.name), sign=sign, compared=compared) for metric in metrics
    )


def headings(metrics: Iterable[Metric]) -> str:
    """Return the heading of such cells, such as ``PSNR in dB / SSIM``."""
    return " / ".join(metric.heading for metric in metrics)


def _difference(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first - second


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


def _channels(picture: Planes) -> Planes:
    """Return the channels one after another, (C, H, W)."""
    return np.ascontiguousarray(np.moveaxis(picture, 2, 0))


def _to_batch(picture: Planes) -> "Tensor":
    import torch

    return torch.from_numpy(_channels(picture))[None]
