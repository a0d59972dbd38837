"""The tables of results, for a terminal."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from drnsr.errors import printable
from drnsr.evaluation.metrics import headings, values_text
from drnsr.evaluation.protocol import Protocol
from drnsr.evaluation.results import Row, by_benchmark
from drnsr.evaluation.verify import PublishedComparison


def result_table(rows: Sequence[Row], *, model: str, scale: int, protocol: Protocol) -> Table:
    """Draw each picture and the mean of each benchmark: bicubic, the model and the gain."""
    title = f"{headings(rows[0].metrics)} at scale {scale}, protocol {protocol.name}"
    table = Table(title=title)
    table.add_column("image", no_wrap=True)
    for column in ("bicubic", model, "gain"):
        table.add_column(
            Text(printable(column)), justify="right"
        )  # several metrics wrap on a narrow terminal
    for benchmark, of_benchmark, mean in by_benchmark(rows, protocol):
        for row in of_benchmark:
            table.add_row(Text(printable(row.image)), *_cells(row))
        table.add_section()
        name = Text(printable(f"mean of {benchmark}"))
        table.add_row(name, *_cells(mean), style="bold", end_section=True)
    return table


def comparison_table(comparisons: Sequence[PublishedComparison]) -> Table:
    """Draw our means beside the published ones, with the differences."""
    table = Table(title=f"ours beside the published: {headings(comparisons[0].metrics)}")
    for column in ("benchmark", "method", "protocol"):
        table.add_column(column, no_wrap=True)
    for column in ("ours", "published", "difference"):
        table.add_column(column, justify="right")
    for each in comparisons:
        table.add_row(
            *(f"{each.benchmark} x{each.published.scale}", each.method, each.protocol),
            values_text(each.ours, each.metrics, compared=True),
            values_text(each.published.values, each.metrics),
            values_text(each.difference, each.metrics, compared=True, sign=True),
        )
    return table


def _cells(row: Row) -> tuple[str, str, str]:
    return (
        values_text(row.bicubic, row.metrics),
        values_text(row.model, row.metrics),
        values_text(row.gain, row.metrics, sign=True),
    )
