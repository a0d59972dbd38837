"""Whether a difference between two methods on the same pictures is significant."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan
from statistics import fmean

import numpy as np

from drnsr.evaluation.metrics import PRIMARY, Metric

# Whatever the values, n pictures can agree by chance with probability 2^(1 - n): below six that is
# more than 5 %, so no difference is significant.
FEWEST = 6


@dataclass(frozen=True)
class PairedDifference:
    """The mean difference over pictures with its 95 % bootstrap interval, in the metric's unit.

    Attributes:
        mean: over the pictures; positive if the second method has the larger number.
        low: lower end of the interval.
        high: upper end.
        pictures: the number for which the metric is defined; without any, the mean is NaN.
        metric: what was compared.
    """

    mean: float
    low: float
    high: float
    pictures: int
    metric: Metric

    @property
    def is_improvement(self) -> bool:
        """Whether the second method is significantly better."""
        worst = self.low if self.metric.higher_is_better else self.high
        return self.pictures >= FEWEST and self.metric.improves(worst)

    @property
    def sentence(self) -> str:
        """What the difference proves, in plain words."""
        if self.pictures == 0:
            return f"{self.metric.label} is defined on none of the pictures"
        if self.pictures < FEWEST:
            number = "1 picture is" if self.pictures == 1 else f"{self.pictures} pictures are"
            return f"{number} too few to prove a difference"
        if self.low <= 0 <= self.high:
            return "no difference is proven: the interval holds zero"
        return "better" if self.metric.improves(self.mean) else "worse"

    def text(self, number: float, *, unit: bool = False) -> str:
        """Format the mean or an end of the interval, with its sign."""
        return self.metric.text(number, sign=True, unit=unit, compared=True)


def paired_difference(
    first: Sequence[float | None], second: Sequence[float | None], metric: Metric = PRIMARY
) -> PairedDifference:
    """Compare two methods by a metric on the same pictures.

    Percentile bootstrap over pictures (Efron 1979), 10,000 samples of a fixed seed.

    Args:
        first: the value of each picture; pictures without one are left out.
        second: the values of the same pictures.
        metric: what was measured.
    """
    from scipy.stats import bootstrap

    pairs = zip(first, second, strict=True)
    differences = [b - a for a, b in pairs if a is not None and b is not None]
    pictures = len(differences)
    mean = fmean(differences) if differences else nan
    if pictures < 2 or len(set(differences)) == 1:
        return PairedDifference(mean, mean, mean, pictures, metric)
    if not np.isfinite(differences).all():  # equal pictures have an infinite PSNR
        return PairedDifference(mean, -inf, inf, pictures, metric)
    interval = bootstrap(
        (differences,), np.mean, n_resamples=10_000, method="percentile", rng=0
    ).confidence_interval
    return PairedDifference(mean, float(interval.low), float(interval.high), pictures, metric)
