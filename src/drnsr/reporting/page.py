"""The report: one HTML page that needs nothing but itself."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from drnsr.evaluation.protocol import Protocol
from drnsr.evaluation.results import Row, by_benchmark
from drnsr.tracking.runs import flatten


@dataclass(frozen=True)
class Picture:
    """A picture of the report and who made the original."""

    name: str
    png: Path
    licence: str

    @property
    def data_url(self) -> str:
        """The picture itself as a URL."""
        return "data:image/png;base64," + base64.b64encode(self.png.read_bytes()).decode()


def render_report(
    rows: Sequence[Row],
    *,
    model: str,
    scale: int,
    protocol: Protocol,
    comparisons: Sequence[Mapping[str, Any]],
    curves: str,
    pictures: Sequence[Picture],
    cost: Mapping[str, str],
    lineage: Mapping[str, str],
    config: Mapping[str, Any],
) -> str:
    """Render the page.

    Args:
        rows: a row for each picture, benchmark by benchmark.
        model: what the tables call it.
        scale: of the super-resolution.
        protocol: how the rows were measured.
        comparisons: the rows of ``metrics/verify.json``.
        curves: the training curves as SVG.
        pictures: the comparisons.
        cost: what it took, by name.
        lineage: what the result came from, by name.
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
