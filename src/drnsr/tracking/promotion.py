"""Decide whether one model is proven to be better than another, from their evaluations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drnsr.errors import UserError
from drnsr.evaluation.metrics import PRIMARY, Metric
from drnsr.evaluation.results import Row
from drnsr.evaluation.statistics import PairedDifference, paired_difference

# In dB: how far the PSNR of bicubic may differ for one picture between two machines. It does not
# depend on the models, so a larger difference means another picture or another measurement.
_BICUBIC_TOLERANCE = 0.001


class NotBetterError(UserError):
    """A model is not proven to be better than the champion."""


@dataclass(frozen=True)
class Evaluation:
    """The results of a model on its benchmarks.

    Attributes:
        summary: the content of ``benchmark.json``.
        rows: the rows of ``per_image.csv``.
    """

    summary: Mapping[str, Any]
    rows: list[Row]

    def on(self, benchmark: str) -> dict[str, Row]:
        """Return the rows of a benchmark by picture."""
        return {row.image: row for row in self.rows if row.benchmark == benchmark}


def deciding_benchmark(evaluation: Evaluation, benchmark: str | None) -> str:
    """Return the benchmark that was asked for, or the only one.

    Raises:
        NotBetterError: if it was not measured, or if none was asked for and several were measured.
    """
    measured = ", ".join(evaluation.summary)
    if benchmark is None:
        if len(evaluation.summary) != 1:
            raise NotBetterError(f"measured on {measured}: say by --benchmark which one decides")
        return measured
    if benchmark not in evaluation.summary:
        raise NotBetterError(f"not measured on {benchmark} (measured on: {measured})")
    return benchmark


def proven_gain(
    champion: Evaluation, candidate: Evaluation, benchmark: str | None, metric: Metric = PRIMARY
) -> tuple[str, PairedDifference]:
    """Compare two models picture by picture.

    Args:
        champion: the evaluation of the model to be beaten.
        candidate: the evaluation of the other one.
        benchmark: see :func:`deciding_benchmark`.
        metric: by which they are compared.

    Returns:
        The benchmark, and by how much the candidate is better on it; the interval excludes zero.

    Raises:
        NotBetterError: if it is not, or the two were not measured alike; the message says which.
    """
    name = deciding_benchmark(candidate, benchmark)
    if name not in champion.summary:
        raise NotBetterError(f"the champion was not measured on {name}")
    before, after = champion.on(name), candidate.on(name)
    _require_alike(_how(champion, name), _how(candidate, name))
    _require_same_pictures(name, before, after)
    first, second = (
        [rows[image].model.get(metric.name) for image in before] for rows in (before, after)
    )
    gain = paired_difference(first, second, metric)
    if gain.pictures == 0:
        raise NotBetterError(f"{name}: the two have no picture with {metric.label} in common")
    if not gain.is_improvement:
        raise NotBetterError(f"{gain.sentence} ({in_words(gain)} of {name})")
    return name, gain


def in_words(gain: PairedDifference) -> str:
    """Format a difference and its interval: ``+0.12 dB, +0.05 to +0.19, over 14 pictures``."""
    return (
        f"{gain.text(gain.mean, unit=True)}, {gain.text(gain.low)} to {gain.text(gain.high)},"
        f" over {gain.pictures} pictures"
    )


def _how(evaluation: Evaluation, benchmark: str) -> str:
    result = evaluation.summary[benchmark]
    return f"{result['protocol']} at scale {result['scale']}"


def _require_alike(champion: str, candidate: str) -> None:
    if champion != candidate:
        raise NotBetterError(f"measured by {candidate}, and the champion by {champion}")


def _require_same_pictures(name: str, before: Mapping[str, Row], after: Mapping[str, Row]) -> None:
    if other := before.keys() ^ after.keys():
        raise NotBetterError(
            f"{name} had other pictures for the champion: {', '.join(sorted(other))}"
        )
    for image, row in before.items():
        there, here = (each.bicubic[PRIMARY.name] for each in (row, after[image]))
        if there is None or here is None or abs(there - here) > _BICUBIC_TOLERANCE:
            raise NotBetterError(
                f"{name} had another picture {image} for the champion, or measured it otherwise:"
                f" bicubic has {PRIMARY.text(there, unit=True, compared=True)} there"
                f" and {PRIMARY.text(here, compared=True)} here"
            )
