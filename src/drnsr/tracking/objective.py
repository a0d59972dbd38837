"""The number by which the jobs of a sweep are compared."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from drnsr.evaluation.metrics import METRICS, reported_metrics
from drnsr.training.scalars import VAL_PSNR


@dataclass(frozen=True)
class Objective:
    """What a sweep makes large or small.

    Attributes:
        name: a metric of the evaluation, such as ``psnr``, for its mean over the benchmarks;
            ``set5/psnr`` for one benchmark; ``val_psnr`` for the last validation.
    """

    name: str

    @property
    def higher_is_better(self) -> bool:
        """The direction of the metric."""
        return self.is_validation or METRICS[self._metric].higher_is_better

    @property
    def is_validation(self) -> bool:
        """Whether it needs no evaluation."""
        return self.name == VAL_PSNR.name

    @property
    def _metric(self) -> str:
        return self.name.rpartition("/")[2]

    def check(
        self, benchmarks: Mapping[str, object], measured_on: str, further: Iterable[str] = ()
    ) -> None:
        """Check the name.

        Args:
            benchmarks: by name.
            measured_on: the channels that the protocol compares.
            further: names of metrics that are computed beside those of every evaluation.

        Raises:
            ValueError: if there is no such metric or benchmark.
        """
        benchmark, _, metric = self.name.rpartition("/")
        if self.is_validation:
            return
        reported = (each.name for each in reported_metrics(measured_on))
        known = list(dict.fromkeys([*reported, *further]))
        if metric not in known:
            raise ValueError(
                f"{metric} is not one of {', '.join([*known, VAL_PSNR.name])}, or BENCHMARK/METRIC"
            )
        if benchmark and benchmark not in benchmarks:
            raise ValueError(f"{benchmark} is not one of the benchmarks: {', '.join(benchmarks)}")

    def value(self, measures: Mapping[str, float]) -> float | None:
        """Return the value of a job; None if it was not measured.

        Args:
            measures: ``val_psnr``, and the means such as ``set5/psnr``.
        """
        if self.name in measures:
            return measures[self.name]
        values = [value for name, value in measures.items() if name.endswith(f"/{self.name}")]
        return fmean(values) if values and not self.is_validation else None

    def best(self, values: Mapping[int, float]) -> int:
        """Return the key of the best value."""
        choose = max if self.higher_is_better else min
        return choose(values, key=lambda key: values[key])
