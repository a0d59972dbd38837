"""Whether one model is proven to be better than another, from what each was measured with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drnsr.errors import UserError
from drnsr.evaluation.results import Row
from drnsr.evaluation.statistics import FEWEST, PairedDifference, paired_difference

# In dB: how far bicubic may differ on one picture between two machines. It knows nothing of the
# models, so that more comes from another picture or another way to measure.
_BICUBIC_TOLERANCE = 0.001


class NotBetterError(UserError):
    """A model is not proven to be better than another."""


@dataclass(frozen=True)
class Evaluation:
    """How a model was measured.

    Attributes:
        summary: the content of ``benchmark.json``.
        rows: those of ``per_image.csv``.
    """

    summary: Mapping[str, Any]
    rows: list[Row]

    def on(self, benchmark: str) -> dict[str, Row]:
        """The rows of a benchmark by picture."""
        return {row.image: row for row in self.rows if row.benchmark == benchmark}


def deciding_benchmark(evaluation: Evaluation, benchmark: str | None) -> str:
    """The benchmark that was asked for, or the only one that there is.

    Raises:
        NotBetterError: there is no such, or several and none was said.
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
    champion: Evaluation, candidate: Evaluation, benchmark: str | None
) -> tuple[str, PairedDifference]:
    """Compare the PSNR of two models picture by picture.

    Args:
        champion: the model to be beaten.
        candidate: the other one.
        benchmark: see :func:`deciding_benchmark`.

    Returns:
        The benchmark, and by how much the candidate is better on it: its interval is above zero.

    Raises:
        NotBetterError: it is not, or the two were not measured alike; the message says which.
    """
    name = deciding_benchmark(candidate, benchmark)
    if name not in champion.summary:
        raise NotBetterError(f"the champion was not measured on {name}")
    before, after = champion.on(name), candidate.on(name)
    _require_alike(_how(champion, name), _how(candidate, name))
    _require_same_pictures(name, before, after)
    gain = paired_difference(
        [row.model_psnr for row in before.values()], [after[image].model_psnr for image in before]
    )
    if gain.pictures < FEWEST or gain.low <= 0:
        raise NotBetterError(f"{gain.sentence} ({in_words(gain)} of {name})")
    return name, gain


def in_words(gain: PairedDifference) -> str:
    """A difference with its interval, such as ``+0.12 dB, +0.05 to +0.19, over 14 pictures``."""
    return (
        f"{gain.mean:+.3f} dB, {gain.low:+.3f} to {gain.high:+.3f}, over {gain.pictures} pictures"
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
        if abs(row.bicubic_psnr - after[image].bicubic_psnr) > _BICUBIC_TOLERANCE:
            raise NotBetterError(
                f"{name} had another picture {image} for the champion, or measured it otherwise:"
                f" bicubic has {row.bicubic_psnr:.3f} dB there"
                f" and {after[image].bicubic_psnr:.3f} here"
            )
