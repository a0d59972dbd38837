"""What a difference between two methods on the same pictures proves."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from scipy.stats import bootstrap

# Whatever the values, n pictures can agree by chance with probability 2^(1 - n): below six that is
# more than 5 %, so no difference is significant.
FEWEST = 6


@dataclass(frozen=True)
class PairedDifference:
    """The mean difference over pictures with its 95 % bootstrap interval, in dB.

    Attributes:
        mean: over the pictures; positive where the second method is better.
        low: lower end of the interval.
        high: upper end.
        pictures: how many.
    """

    mean: float
    low: float
    high: float
    pictures: int

    @property
    def sentence(self) -> str:
        """What it proves, in plain words."""
        if self.pictures < FEWEST:
            return f"{self.pictures} pictures are too few to prove a difference"
        if self.low <= 0 <= self.high:
            return "no difference is proven: the interval holds zero"
        return "better" if self.mean > 0 else "worse"


def paired_difference(first: Sequence[float], second: Sequence[float]) -> PairedDifference:
    """Compare two methods by their PSNR on the same pictures.

    Percentile bootstrap over pictures (Efron 1979), 10,000 samples of a fixed seed.

    Args:
        first: PSNR in dB of each picture.
        second: of the same pictures.
    """
    differences = np.subtract(second, first)
    mean = fmean(differences)
    if len(differences) < 2 or np.ptp(differences) == 0:
        return PairedDifference(mean, mean, mean, len(differences))
    interval = bootstrap(
        (differences,), np.mean, n_resamples=10_000, method="percentile", rng=0
    ).confidence_interval
    return PairedDifference(mean, float(interval.low), float(interval.high), len(differences))
