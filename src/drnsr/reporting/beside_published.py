"""Our results beside the published ones: a table, and quality against cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from drnsr.evaluation.metrics import PRIMARY, Metric, Values, subtract, values_text
from drnsr.evaluation.protocol import Protocol
from drnsr.evaluation.published import (
    BICUBIC,
    REFERENCE,
    PublishedRow,
    comparable_rows,
    published_costs,
)
from drnsr.reporting.charts import CostPoint, cost_chart


@dataclass(frozen=True)
class OurMethod:
    """A method that was measured here.

    Attributes:
        name: in the table and the charts.
        means: by benchmark.
        parameters: their number; None for an interpolation, or if it is not known.
        seconds: for an output megapixel; None if it was not measured.
    """

    name: str
    means: Mapping[str, Values]
    parameters: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes:
        method: its name.
        parameters: their number as text.
        values: by benchmark, as text.
        differences: by benchmark, ours minus the published in :data:`PRIMARY`; empty for ours.
        source: the number of the source; None for ours.
    """

    method: str
    parameters: str
    values: Mapping[str, str]
    differences: Mapping[str, float | None]
    source: int | None

    @property
    def is_ours(self) -> bool:
        """Whether it was measured here."""
        return self.source is None


@dataclass(frozen=True)
class BesidePublished:
    """What the page shows of the published results.

    Attributes:
        benchmarks: those with published numbers.
        compared: the method of ours that the differences are of.
        lines: ours and the published, the best first.
        sources: of the published numbers and costs.
        charts: quality against cost, as SVG.
        has_seconds: whether one of the charts is over seconds.
    """

    benchmarks: Sequence[str]
    compared: str
    lines: Sequence[Line]
    sources: Sequence[str]
    charts: Sequence[str]
    has_seconds: bool


def beside_published(
    ours: Sequence[OurMethod],
    published: Mapping[str, str | None],
    *,
    scale: int,
    protocol: Protocol,
    metrics: Sequence[Metric],
    reference_seconds: float | None = None,
) -> BesidePublished | None:
    """Set our results beside those of papers on the same benchmarks, scale and protocol.

    Args:
        ours: the methods; the differences are those of the last one.
        published: the name of each benchmark in the published tables; None if it has none.
        scale: the factor of the super-resolution.
        protocol: by which ours were measured.
        metrics: that were measured.
        reference_seconds: those of :data:`drnsr.evaluation.published.REFERENCE` for an output
            megapixel where ours were measured; None if it was not, or not on a CPU.

    Returns:
        The comparison; None if nothing comparable is published.
    """
    rows = {
        benchmark: found
        for benchmark, name in published.items()
        if (found := comparable_rows(name, scale, protocol))
    }
    if not rows:
        return None
    sources = _Sources()
    shown = [metric for metric in metrics if metric.tolerance is not None]
    lines = _lines(ours, rows, shown, sources)
    main = next(iter(rows))
    charts = _parameter_chart(ours, main, published[main], rows[main], scale)
    seconds = []
    if reference_seconds is not None:
        seconds = _seconds_chart(
            ours, main, published[main], rows[main], scale, reference_seconds, sources
        )
    return BesidePublished(
        benchmarks=list(rows),
        compared=ours[-1].name,
        lines=lines,
        sources=sources.texts,
        charts=[*seconds, *charts],
        has_seconds=bool(seconds),
    )


@dataclass
class _Sources:
    """The sources that the page names, each once."""

    texts: list[str] = field(default_factory=list)

    def number(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def _lines(
    ours: Sequence[OurMethod],
    rows: Mapping[str, Sequence[PublishedRow]],
    metrics: Sequence[Metric],
    sources: _Sources,
) -> list[Line]:
    """Return the lines, sorted by the first benchmark in which they have a number."""
    by_method: dict[str, dict[str, PublishedRow]] = {}
    for benchmark, of_benchmark in rows.items():
        for row in of_benchmark:
            by_method.setdefault(row.method, {})[benchmark] = row
    ranked: list[tuple[list[float], Line]] = []
    for method, found in by_method.items():
        first = next(iter(found.values()))
        line = Line(
            f"{method} (published)" if method == BICUBIC else method,
            _millions(next((row.parameters for row in found.values() if row.parameters), None)),
            {name: values_text(row.values, metrics) for name, row in found.items()},
            {
                name: subtract(ours[-1].means[name], row.values).get(PRIMARY.name)
                for name, row in found.items()
            },
            sources.number(first.source),
        )
        ranked.append((_rank({name: row.values for name, row in found.items()}, rows), line))
    for each in ours:
        means = {name: each.means[name] for name in rows}
        cells = {name: values_text(values, metrics) for name, values in means.items()}
        line = Line(each.name, _millions(each.parameters), cells, {}, None)
        ranked.append((_rank(means, rows), line))
    return [line for _, line in sorted(ranked, key=lambda pair: pair[0])]


def _rank(means: Mapping[str, Values], benchmarks: Mapping[str, object]) -> list[float]:
    values = [means.get(name, {}).get(PRIMARY.name) for name in benchmarks]
    return [float("inf") if value is None else -value for value in values]


def _millions(parameters: float | None) -> str:
    return "" if parameters is None else f"{parameters / 1e6:.3g} M"


def _parameter_chart(
    ours: Sequence[OurMethod],
    benchmark: str,
    dataset: str | None,
    rows: Sequence[PublishedRow],
    scale: int,
) -> list[str]:
    points = [
        CostPoint(row.method, row.parameters / 1e6, quality)
        for row in _one_of_each_network(rows)
        if row.parameters and (quality := row.values[PRIMARY.name]) is not None
    ]
    own = _own_points(ours, benchmark, lambda each: each.parameters and each.parameters / 1e6)
    return _chart([*points, *own], "parameters in millions", dataset, scale)


def _seconds_chart(
    ours: Sequence[OurMethod],
    benchmark: str,
    dataset: str | None,
    rows: Sequence[PublishedRow],
    scale: int,
    reference_seconds: float,
    sources: _Sources,
) -> list[str]:
    known = {row.method: row.values[PRIMARY.name] for row in rows}
    points = []
    for cost in published_costs(scale):
        quality = known.get(cost.method) if cost.set5 is None else cost.set5
        if quality is None or (cost.set5 is not None and dataset != "Set5"):
            continue
        sources.number(f"seconds, over those of {REFERENCE}: {cost.source}")
        points.append(CostPoint(cost.method, cost.seconds_ratio * reference_seconds, quality))
    own = _own_points(ours, benchmark, lambda each: each.seconds)
    return _chart([*points, *own], "CPU seconds per output megapixel", dataset, scale)


def _own_points(
    ours: Sequence[OurMethod], benchmark: str, cost: Callable[[OurMethod], float | None]
) -> list[CostPoint]:
    return [
        CostPoint(each.name, of, quality, is_ours=True)
        for each in ours
        if (of := cost(each)) and (quality := each.means[benchmark][PRIMARY.name]) is not None
    ]


def _chart(points: Sequence[CostPoint], cost: str, dataset: str | None, scale: int) -> list[str]:
    """Draw a chart if there are points of both kinds."""
    if len({point.is_ours for point in points}) < 2:
        return []
    title = f"{dataset} x{scale}"
    return [cost_chart(points, cost=cost, quality=PRIMARY.heading, title=title)]


def _one_of_each_network(rows: Sequence[PublishedRow]) -> list[PublishedRow]:
    """Leave out further rows of a network, such as ``EDSR (paper)`` beside ``EDSR``."""
    plainest: dict[str, PublishedRow] = {}
    for row in sorted(rows, key=lambda row: len(row.method)):
        plainest.setdefault(row.method.partition(" (")[0].casefold().replace("_", "-"), row)
    return list(plainest.values())
