"""The metrics by name: how each is computed, shown and compared.

:data:`METRICS` is the one list of them. What evaluates, writes, tracks, draws or verifies iterates
over it, so that a metric is added by one function and one entry here.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from drnsr.errors import UserError
from drnsr.evaluation.perceptual import NIQE_PACKAGE, ST_LPIPS_PACKAGE, niqe, st_lpips
from drnsr.evaluation.structural import Planes, channels_first, ssim, vif

if TYPE_CHECKING:
    from torch import Tensor

Values = Mapping[str, float | None]
"""Numbers by the name of their metric; None where a metric is not defined."""


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
        measured_on: "rgb", "y" or "bands" if it is defined on these channels alone, which then are
            compared whatever the protocol compares. Of bands, one for "any" is the mean of those of
            each band.
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


def named_metrics(names: Iterable[str]) -> tuple[Metric, ...]:
    """Return metrics by their names, each once; they may need a package that is missing here.

    Raises:
        MetricError: if a name is unknown.
    """
    names = list(dict.fromkeys(name.strip() for name in names))
    for name in names:
        if name not in METRICS:
            raise MetricError(f"metrics: {name!r} is unknown (known: {', '.join(METRICS)})")
    return tuple(METRICS[name] for name in names)


def get_metrics(names: Iterable[str]) -> tuple[Metric, ...]:
    """Return metrics that can be computed by their names, each once.

    Raises:
        MetricError: if a name is unknown, or the package with its parameters is not installed.
    """
    metrics = named_metrics(names)
    for metric in metrics:
        if metric.package is not None and find_spec(metric.package) is None:
            raise MetricError(
                f"metrics: {metric.name} needs the package {metric.package};"
                " `pip install 'drnsr[perceptual]'` installs it"
            )
    return metrics


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


def _to_batch(picture: Planes) -> "Tensor":
    import torch

    return torch.from_numpy(channels_first(picture))[None]
