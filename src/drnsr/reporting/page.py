"""The report: one HTML page that loads nothing from elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from drnsr.evaluation.metrics import PRIMARY, values_text
from drnsr.evaluation.protocol import Protocol
from drnsr.evaluation.results import Row, by_benchmark
from drnsr.evaluation.verify import PublishedComparison
from drnsr.reporting.drawing import data_url
from drnsr.tracking.runs import flatten


@dataclass(frozen=True)
class ReportPicture:
    """A picture of the report.

    Attributes:
        name: its caption.
        png: the file.
        licence: of the original, with its author; empty if it is not stated.
    """

    name: str
    png: Path
    licence: str

    @property
    def data_url(self) -> str:
        """The content of the file as a URL."""
        return data_url(self.png.read_bytes(), "image/png")


def render_report(
    rows: Sequence[Row],
    *,
    model: str,
    scale: int,
    protocol: Protocol,
    comparisons: Sequence[PublishedComparison],
    curves: str,
    pictures: Sequence[ReportPicture],
    cost: Mapping[str, str],
    lineage: Mapping[str, str],
    config: Mapping[str, Any],
) -> str:
    """Render the page.

    Args:
        rows: a row for each picture, benchmark by benchmark.
        model: the name of the model in the tables.
        scale: the factor of the super-resolution.
        protocol: how the rows were measured.
        comparisons: the content of ``metrics/verify.json``.
        curves: the training curves as SVG.
        pictures: the side-by-side pictures.
        cost: from :func:`drnsr.reporting.costs.describe_costs`.
        lineage: what the results were made from, by name.
        config: the composed configuration.
    """
    environment = Environment(
        loader=PackageLoader("drnsr", "reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        benchmarks=by_benchmark(rows, protocol),
        metrics=rows[0].metrics,
        primary=PRIMARY,
        values_text=values_text,
        model=model,
        scale=scale,
        protocol=protocol,
        comparisons=comparisons,
        curves=Markup(curves),
        pictures=pictures,
        cost=cost,
        lineage=lineage,
        config=flatten(config),
    )
