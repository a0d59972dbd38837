"""Our results beside the published ones.

Bicubic comes first: if its numbers are not the published ones, no number of ours is comparable.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from drnsr.atomic import write_text
from drnsr.data.prepared import PreparedDataset
from drnsr.errors import UserError
from drnsr.evaluation.benchmark import bicubic, mean_values, measure
from drnsr.evaluation.metrics import Metric, Values, known_metrics, subtract
from drnsr.evaluation.protocol import get_protocol
from drnsr.evaluation.published import BICUBIC, PublishedRow, find_published

BICUBIC_PROTOCOL = "classic_y"
"""The protocol by which the published bicubic rows were measured."""


class VerifyError(UserError):
    """Bicubic does not have its published numbers, so no number of this setup can be trusted."""


@dataclass(frozen=True)
class PublishedComparison:
    """One of our results beside the published one.

    Attributes:
        benchmark: as conf/benchmark calls it.
        method: as our tables call it.
        protocol: by which ours was measured.
        ours: our means over the benchmark.
        published: the row in the literature.
    """

    benchmark: str
    method: str
    protocol: str
    ours: Values
    published: PublishedRow

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that we measured and that papers publish."""
        return tuple(metric for metric in known_metrics(self.ours) if metric.tolerance is not None)

    @property
    def difference(self) -> dict[str, float | None]:
        """Ours minus the published; None where the source has no number."""
        return subtract(self.ours, self.published.values)

    @property
    def agrees(self) -> bool:
        """Whether the rounding of printed numbers explains each difference."""
        pairs = [(self.difference.get(metric.name), metric.tolerance) for metric in self.metrics]
        return all(
            abs(difference) <= tolerance
            for difference, tolerance in pairs
            if difference is not None and tolerance is not None
        )


def compare_bicubic(
    benchmark: str, dataset: PreparedDataset, published_name: str, scale: int
) -> PublishedComparison | None:
    """Measure bicubic by the protocol of the published rows, not by that of the models.

    Args:
        benchmark: as conf/benchmark calls it.
        dataset: its originals.
        published_name: its name in the published tables.
        scale: the factor of the super-resolution.

    Returns:
        The comparison; None if nothing is published for this dataset and scale.
    """
    published = find_published(BICUBIC, published_name, scale)
    if published is None:
        return None
    protocol = get_protocol(BICUBIC_PROTOCOL)
    measured = list(measure(dataset, [bicubic(scale, protocol)], scale=scale, protocol=protocol))
    values = [picture.results["bicubic"].values for picture in measured]
    ours = mean_values(values, [picture.pixels for picture in measured], protocol)
    return PublishedComparison(benchmark, "bicubic", protocol.name, ours, published)


def check_bicubic(comparison: PublishedComparison) -> None:
    """Check that bicubic is the published one.

    Raises:
        VerifyError: if it is not; the message names both results and the likely reasons.
    """
    if comparison.agrees:
        return
    published = comparison.published
    ours, theirs = (
        " / ".join(
            metric.text(values.get(metric.name), unit=True, compared=compared)
            for metric in comparison.metrics
        )
        for values, compared in ((comparison.ours, True), (published.values, False))
    )
    raise VerifyError(
        f"{comparison.benchmark}: bicubic is {ours} at scale {published.scale}"
        f" by {comparison.protocol},"
        f" published is {theirs} ({published.source});"
        " likely reasons: another kernel (antialiased cubic with a = -0.5, rounded after each"
        " pass), a border that is not the scale, RGB or full-range luma instead of studio-range"
        " luma, the gray picture taken as RGB, or other pictures than those of the set"
    )


def write_comparisons(path: Path, comparisons: Sequence[PublishedComparison]) -> None:
    """Write comparisons as JSON."""
    content = [
        {
            "benchmark": each.benchmark,
            "method": each.method,
            "protocol": each.protocol,
            "ours": each.ours,
            "published": {
                "method": each.published.method,
                "dataset": each.published.dataset,
                "scale": each.published.scale,
                **each.published.values,
                "source": each.published.source,
            },
        }
        for each in comparisons
    ]
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_comparisons(path: Path) -> list[PublishedComparison]:
    """Read what :func:`write_comparisons` wrote."""
    return [
        PublishedComparison(**{**row, "published": _published_row(row["published"])})
        for row in json.loads(path.read_text(encoding="utf-8"))
    ]


def _published_row(content: Mapping[str, Any]) -> PublishedRow:
    known = [field.name for field in fields(PublishedRow)]
    return PublishedRow(
        **{name: value for name, value in content.items() if name in known},
        values={name: value for name, value in content.items() if name not in known},
    )
