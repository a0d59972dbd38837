"""The scores and costs of any methods, for a terminal."""

from rich.table import Table
from rich.text import Text

from drnsr.errors import printable
from drnsr.evaluation.scores import ScoreSet
from drnsr.reporting.names import short_names
from drnsr.training.scalars import MODEL_COSTS


def score_table(scores: ScoreSet) -> Table:
    """Draw the means: a row for each method on each benchmark, so that a narrow terminal fits."""
    names = short_names(scores.methods)
    table = Table(title=f"Scale {scores.scale}, protocol {scores.protocol.name}")
    for heading in ("benchmark", "method"):
        table.add_column(heading, overflow="fold")
    for metric in scores.metrics:
        table.add_column(metric.heading, justify="right", no_wrap=True)
    for benchmark in scores.benchmarks:
        table.add_section()
        for method in scores.methods:
            means = ((metric, scores.mean(benchmark, method, metric)) for metric in scores.metrics)
            cells = (metric.text(mean, compared=True) for metric, mean in means)
            table.add_row(*(Text(printable(name)) for name in (benchmark, names[method])), *cells)
    return table


def cost_table(scores: ScoreSet, device: str) -> Table:
    """Draw what each model costs on a device."""
    table = Table(title=f"Cost: operations and time for a megapixel of output, on {device}")
    names = short_names(scores.methods)
    table.add_column("model", overflow="fold")
    for scalar in MODEL_COSTS:
        table.add_column(scalar.label, justify="right", no_wrap=True)
    for name, cost in scores.costs.items():
        cells = (scalar.text(getattr(cost, scalar.name)) for scalar in MODEL_COSTS)
        table.add_row(Text(printable(names[name])), *cells)
    return table


def name_sentences(scores: ScoreSet) -> list[str]:
    """Say which method is meant by each name that the tables shorten."""
    names = short_names(scores.methods)
    return [f"{short} is {name}" for name, short in names.items() if short != name]


def difference_sentences(scores: ScoreSet) -> list[str]:
    """Say for each benchmark how each method differs from the first one, with the interval."""
    return [
        _difference_sentence(scores, benchmark, method)
        for benchmark in scores.benchmarks
        for method in scores.methods[1:]
    ]


def _difference_sentence(scores: ScoreSet, benchmark: str, method: str) -> str:
    first, found = scores.methods[0], scores.difference(benchmark, method)
    if found.pictures == 0:
        return f"{benchmark}: {method} and {first}: {found.sentence}"
    return (
        f"{benchmark}: {method} is {found.text(found.mean, unit=True)} from {first} in"
        f" {found.metric.label} (95 % interval {found.text(found.low)} to"
        f" {found.text(found.high)}): {found.sentence}"
    )
