"""The tables of the literature, each number with its source.

``published_results.csv`` has a column for each metric with published numbers: see
:attr:`drnsr.evaluation.metrics.Metric.column`. ``published_costs.csv`` has what published networks
cost on a CPU, as measured: the seconds over those of :data:`REFERENCE` in the same run.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from drnsr.evaluation.metrics import METRICS, PRIMARY, Values
from drnsr.evaluation.protocol import Protocol

BICUBIC = "Bicubic"

REFERENCE = "drnsr of 48 features and 7 blocks"
"""The network of the shipped models, by whose seconds those of ``published_costs.csv`` count."""

_RGB = " RGB"  # at the end of the names of sets that were measured on RGB


@dataclass(frozen=True)
class PublishedRow:
    """The published numbers of one method on one dataset.

    Attributes:
        method: as its source calls it.
        dataset: such as "Set5" (measured on luma) or "DIV2K-val RGB".
        scale: the factor of the super-resolution.
        values: of each metric that the table has a column for; None if the source has no number.
        source: where the numbers are printed.
        parameters: of the network; None if the source has no number.
    """

    method: str
    dataset: str
    scale: int
    values: Values
    source: str
    parameters: float | None = None

    def is_measured_by(self, protocol: Protocol) -> bool:
        """Whether numbers by a protocol may stand beside these.

        The rows are measured on luma without a border of the scale, by ``classic_y`` or
        ``paper_y``, which differ by 0.01 dB, or on RGB by ``rgb``.
        """
        if self.dataset.endswith(_RGB):
            return protocol.name == "rgb"
        return protocol.name in ("paper_y", "classic_y")


@dataclass(frozen=True)
class PublishedCost:
    """What a published network costs on a CPU.

    Attributes:
        method: as its source calls it.
        scale: the factor of the super-resolution.
        seconds_ratio: its seconds for an output megapixel over those of :data:`REFERENCE`.
        precision: in which both were measured.
        set5: the PSNR in dB on Set5 that was measured by ``paper_y`` in the same run; None if
            :func:`published_rows` has the quality.
        source: where and how it was measured.
    """

    method: str
    scale: int
    seconds_ratio: float
    precision: str
    set5: float | None
    source: str


@cache
def published_rows() -> tuple[PublishedRow, ...]:
    """Return all rows, in the order of the file."""
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
            parameters=_number(row["params_millions"], 1e6),
        )
        for row in csv.DictReader(_text("published_results.csv").splitlines())
    )


def find_published(method: str, dataset: str, scale: int) -> PublishedRow | None:
    """Return the first row of a method on a dataset at a scale; None if there is none."""
    wanted = (method, dataset, scale)
    rows = published_rows()
    return next((row for row in rows if (row.method, row.dataset, row.scale) == wanted), None)


def comparable_rows(dataset: str | None, scale: int, protocol: Protocol) -> list[PublishedRow]:
    """Return the published rows that may stand beside a result, the best first.

    Args:
        dataset: the name of the benchmark in the published tables; None if it has none.
        scale: the factor of the super-resolution.
        protocol: by which the result was measured.

    Returns:
        The first row of each method; empty if nothing is published for the set, scale and protocol.
    """
    rows = {
        row.method: row
        for row in reversed(published_rows())
        if (row.dataset, row.scale) == (dataset, scale) and row.is_measured_by(protocol)
    }
    return sorted(rows.values(), key=lambda row: -(row.values[PRIMARY.name] or 0.0))


@cache
def published_costs(scale: int) -> tuple[PublishedCost, ...]:
    """Return what is known of the cost of published networks at a scale."""
    return tuple(
        PublishedCost(
            method=row["method"],
            scale=scale,
            seconds_ratio=float(row["seconds_ratio"]),
            precision=row["precision"],
            set5=_number(row["set5_psnr_db"]),
            source=row["source"],
        )
        for row in csv.DictReader(_text("published_costs.csv").splitlines())
        if int(row["scale"]) == scale
    )


def _text(name: str) -> str:
    return files("drnsr.evaluation").joinpath(name).read_text(encoding="utf-8")


def _number(cell: str, unit: float = 1.0) -> float | None:
    return float(cell) * unit if cell else None
