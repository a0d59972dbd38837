"""The scores of any methods on benchmarks, one for each method and image."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from drnsr.evaluation.benchmark import Measured, mean_value
from drnsr.evaluation.cost import Cost
from drnsr.evaluation.metrics import Metric, Values
from drnsr.evaluation.protocol import Protocol
from drnsr.evaluation.statistics import PairedDifference, paired_difference
from drnsr.training.scalars import MODEL_COSTS


@dataclass(frozen=True)
class Score:
    """The values of one method for one image.

    Attributes:
        benchmark: the name of the benchmark.
        image: the name of the image.
        method: the name of the method.
        values: by the names of the metrics.
        pixels: the number of pixels that were compared.
    """

    benchmark: str
    image: str
    method: str
    values: Values
    pixels: int


@dataclass(frozen=True)
class ScoreSet:
    """The scores of several methods on several benchmarks.

    Attributes:
        scores: the scores; each method has one for each image.
        costs: the cost of each method that is a model.
        metrics: the metrics; the methods are compared by the first.
        scale: the scale factor.
        protocol: how was measured.
    """

    scores: Sequence[Score]
    costs: Mapping[str, Cost]
    metrics: Sequence[Metric]
    scale: int
    protocol: Protocol

    @property
    def benchmarks(self) -> list[str]:
        """The names of the benchmarks, in the order of the scores."""
        return list(dict.fromkeys(score.benchmark for score in self.scores))

    @property
    def methods(self) -> list[str]:
        """The names of the methods; the others are compared with the first."""
        return list(dict.fromkeys(score.method for score in self.scores))

    def mean(self, benchmark: str, method: str, metric: Metric) -> float | None:
        """Average a metric over the images of a benchmark."""
        scores = self._select(benchmark, method)
        values = [score.values[metric.name] for score in scores]
        return mean_value(metric, values, [score.pixels for score in scores], self.protocol)

    def difference(self, benchmark: str, method: str) -> PairedDifference:
        """Compare a method with the first one by the first metric, image by image."""
        metric = self.metrics[0]
        first, second = (
            [score.values[metric.name] for score in self._select(benchmark, name)]
            for name in (self.methods[0], method)
        )
        return paired_difference(first, second, metric)

    def renamed(self, names: Mapping[str, str]) -> "ScoreSet":
        """Return the same scores under other names of the methods."""
        scores = [replace(score, method=names[score.method]) for score in self.scores]
        costs = {names[method]: cost for method, cost in self.costs.items()}
        return replace(self, scores=scores, costs=costs)

    def records(self) -> list[dict[str, object]]:
        """Return a dictionary for each score, for JSON and CSV."""
        return [self._record(score) for score in self.scores]

    def _select(self, benchmark: str, method: str) -> list[Score]:
        chosen = (benchmark, method)
        return [score for score in self.scores if (score.benchmark, score.method) == chosen]

    def _record(self, score: Score) -> dict[str, object]:
        cost = self.costs.get(score.method)
        return {
            "benchmark": score.benchmark,
            "image": score.image,
            "method": score.method,
            **score.values,
            "pixels": score.pixels,
            "scale": self.scale,
            "protocol": self.protocol.name,
            **{scalar.name: getattr(cost, scalar.name, None) for scalar in MODEL_COSTS},
        }


def to_scores(benchmark: str, measured: Iterable[Measured]) -> list[Score]:
    """Return the scores of all methods on the measured images of a benchmark."""
    return [
        Score(benchmark, image.name, method, result.values, image.pixels)
        for image in measured
        for method, result in image.results.items()
    ]
