"""The tables of the literature, each number with its source.

``published_results.csv`` has a column for each metric with published numbers: see
:attr:`drnsr.evaluation.metrics.Metric.column`.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from drnsr.evaluation.metrics import METRICS, Values

BICUBIC = "Bicubic"


@dataclass(frozen=True)
class PublishedRow:
    """The published numbers of one method on one dataset.

    Attributes:
        method: as its source calls it.
        dataset: such as "Set5" (measured on luma) or "DIV2K-val RGB".
        scale: the factor of the super-resolution.
        values: of each metric that the table has a column for; None if the source has no number.
        source: where the numbers are printed.
    """

    method: str
    dataset: str
    scale: int
    values: Values
    source: str


@cache
def published_rows() -> tuple[PublishedRow, ...]:
    """Return all rows, in the order of the file."""
    text = files("drnsr.evaluation").joinpath("published_results.csv").read_text(encoding="utf-8")
    return tuple(
        PublishedRow(
            method=row["method"],
            dataset=row["dataset"],
            scale=int(row["scale"]),
            values={
                metric.name: float(row[metric.column]) if row[metric.column] else None
                for metric in METRICS.values()
                if metric.column in row
            },
            source=row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def find_published(method: str, dataset: str, scale: int) -> PublishedRow | None:
    """Return the first row of a method on a dataset at a scale; None if there is none."""
    wanted = (method, dataset, scale)
    rows = published_rows()
    return next((row for row in rows if (row.method, row.dataset, row.scale) == wanted), None)
