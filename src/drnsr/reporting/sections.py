"""What a page says of each benchmark: the verdict, the means, and the pictures sorted by gain."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drnsr.evaluation.metrics import PRIMARY, Metric, Values, subtract
from drnsr.evaluation.results import Row, extremes
from drnsr.evaluation.scores import Score, ScoreSet
from drnsr.evaluation.statistics import PairedDifference


@dataclass(frozen=True)
class PictureRow:
    """The values of one picture.

    Attributes:
        name: of the picture.
        values: of each method.
        gains: of each method but the first, over the first.
        bar: the gain of the second method in :data:`PRIMARY` as a share of the largest of the
            benchmark, -1 to 1; positive if it is an improvement.
    """

    name: str
    values: Mapping[str, Values]
    gains: Mapping[str, Values]
    bar: float


@dataclass(frozen=True)
class BenchmarkSection:
    """The results on one benchmark.

    Attributes:
        name: of the benchmark.
        metrics: that were measured.
        methods: the first is the one that the others are compared with.
        means: of each method.
        gains: of the means over those of the first method.
        differences: of each method but the first, image by image.
        rows: the pictures, that with the largest gain of the second method first.
        best: the names of the pictures with the largest gains.
        worst: those with the least.
        degradation: the name of what made LR; empty for the protocol.
    """

    name: str
    metrics: Sequence[Metric]
    methods: Sequence[str]
    means: Mapping[str, Values]
    gains: Mapping[str, Values]
    differences: Mapping[str, PairedDifference]
    rows: Sequence[PictureRow]
    best: Sequence[str]
    worst: Sequence[str]
    degradation: str

    @property
    def verdict(self) -> str:
        """The result in one line."""
        best = self.best_method
        if best is None:
            return f"{PRIMARY.label} is not defined on {self.name}."
        first = self.methods[0]
        if len(self.methods) == 1:
            return f"{first} has {self.mean_text(first)} on {self.name}."
        if len(self.methods) == 2:
            return self._against_first(self.methods[1])
        if best != first:
            return f"{best} is the best of {len(self.methods)}: {self._against_first(best)}"
        return (
            f"{first} is the best of {len(self.methods)} on {self.name}: {self.mean_text(first)}."
        )

    @property
    def best_method(self) -> str | None:
        """The method with the best mean; None if no mean is defined."""
        means = {
            method: mean
            for method, values in self.means.items()
            if (mean := values[PRIMARY.name]) is not None
        }
        pick = max if PRIMARY.higher_is_better else min
        return pick(means, key=lambda method: means[method]) if means else None

    def mean_text(self, method: str) -> str:
        """The mean of a method with its unit."""
        mean = self.means[method][PRIMARY.name]
        return PRIMARY.text(mean, unit=True) + (f" {PRIMARY.label}" if PRIMARY.unit else "")

    def is_better(self, method: str) -> bool:
        """Whether the mean of a method is better than that of the first."""
        return PRIMARY.improves(self.gains[method][PRIMARY.name])

    def evidence(self, method: str) -> str:
        """What the difference of a method from the first proves, with its interval."""
        found = self.differences[method]
        if found.pictures < 2:
            return found.sentence
        low, high = (found.text(end) for end in (found.low, found.high))
        return f"95 % interval {low} to {high} {found.metric.unit}: {found.sentence}".rstrip()

    def better_on(self, method: str) -> str:
        """On how many pictures a method is better than the first."""
        gains = [row.gains[method][PRIMARY.name] for row in self.rows]
        better = sum(PRIMARY.improves(gain) for gain in gains)
        if len(gains) == 1:
            return "on one picture"
        if better in (0, len(gains)):
            return f"better on {'all' if better else 'none of the'} {len(gains)} pictures"
        return f"better on {better} of {len(gains)} pictures"

    def gain_of(self, picture: str) -> float | None:
        """The gain of the second method for a picture."""
        row = next(row for row in self.rows if row.name == picture)
        return row.gains[self.methods[1]][PRIMARY.name]

    @property
    def shown(self) -> list[tuple[str, Sequence[str]]]:
        """The pictures of ``best`` and ``worst`` under titles that say whether they gain."""
        if not self.worst:
            return [("its picture", self.best)] if self.best else []
        best = ("the largest gains", "the gains and the least losses", "the least losses")
        worst = ("the least gains", "the losses and the least gains", "the largest losses")
        return [
            (best[self._losing(self.best)], self.best),
            (worst[self._losing(self.worst)], self.worst),
        ]

    def _losing(self, pictures: Sequence[str]) -> int:
        """Return 0 if no picture loses, 1 if some of them do, and 2 if all do."""
        losing = [not PRIMARY.improves(self.gain_of(each)) for each in pictures]
        return any(losing) + all(losing)

    def _against_first(self, method: str) -> str:
        gain = self.gains[method][PRIMARY.name]
        assert gain is not None
        relation = "over" if self.is_better(method) else "below" if gain else "as"
        amount = f"{PRIMARY.text(abs(gain), unit=True)} {relation}" if gain else "the same as"
        return (
            f"{method} is {amount} {self.methods[0]} on {self.name}:"
            f" {self.mean_text(method)}, {self.better_on(method)}."
        )


def benchmark_sections(
    scores: ScoreSet, degradations: Mapping[str, str] | None = None
) -> list[BenchmarkSection]:
    """Return a section for each benchmark.

    Args:
        scores: of all methods.
        degradations: the degradation of the benchmarks that have one.
    """
    return [
        _section(scores, name, (degradations or {}).get(name, "")) for name in scores.benchmarks
    ]


def scores_of_rows(rows: Sequence[Row], model: str, bicubic: str | None = "bicubic") -> list[Score]:
    """Return the scores of an evaluation, bicubic before the model.

    Args:
        rows: a row for each picture.
        model: what the model is called.
        bicubic: what bicubic is called; None to leave it out.
    """
    scores = []
    for row in rows:
        if bicubic is not None:
            scores.append(Score(row.benchmark, row.image, bicubic, row.bicubic, row.pixels))
        scores.append(Score(row.benchmark, row.image, model, row.model, row.pixels))
    return scores


def _section(scores: ScoreSet, benchmark: str, degradation: str) -> BenchmarkSection:
    methods = scores.methods
    means = {
        method: {m.name: scores.mean(benchmark, method, m) for m in scores.metrics}
        for method in methods
    }
    values: dict[str, dict[str, Values]] = {}
    for score in scores.scores:
        if score.benchmark == benchmark:
            values.setdefault(score.image, {})[score.method] = score.values
    gains = {
        image: {method: subtract(of[method], of[methods[0]]) for method in methods[1:]}
        for image, of in values.items()
    }
    compared = methods[1] if len(methods) > 1 else None
    decisive = {
        image: each[compared][PRIMARY.name] if compared is not None else None
        for image, each in gains.items()
    }
    best, worst = extremes(decisive)
    sign = 1 if PRIMARY.higher_is_better else -1
    finite = {k: sign * v for k, v in decisive.items() if v is not None and math.isfinite(v)}
    largest = max(map(abs, finite.values()), default=0.0) or 1.0
    rows = [
        PictureRow(image, values[image], gains[image], finite.get(image, 0.0) / largest)
        for image in sorted(values, key=lambda image: -finite.get(image, -math.inf))
    ]
    return BenchmarkSection(
        name=benchmark,
        metrics=scores.metrics,
        methods=methods,
        means=means,
        gains={method: subtract(means[method], means[methods[0]]) for method in methods[1:]},
        differences={method: scores.difference(benchmark, method) for method in methods[1:]},
        rows=rows,
        best=best,
        worst=worst,
        degradation=degradation,
    )
