"""The report: an HTML page that loads nothing but the times of its run, from a file beside it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from drnsr.evaluation.metrics import PRIMARY, headings, values_text
from drnsr.evaluation.protocol import Protocol
from drnsr.evaluation.published import REFERENCE
from drnsr.evaluation.results import Row
from drnsr.evaluation.scores import ScoreSet
from drnsr.evaluation.verify import PublishedComparison
from drnsr.reporting.beside_published import BesidePublished
from drnsr.reporting.pictures import label_of
from drnsr.reporting.sections import benchmark_sections, scores_of_rows
from drnsr.reporting.slider import CROP_STYLE, STYLE, slider
from drnsr.reporting.theme import THEME
from drnsr.reporting.views import ORIGINAL, PictureViews
from drnsr.tracking.runs import flatten

# The macros of circumstances.html.j2, each of which fills the element of the report with its name.
_REGIONS = ("quality", "cost", "commands", "lineage")

_MARK = '<meta name="generator" content="drnsr report">'


@dataclass(frozen=True)
class PagePicture:
    """A picture of a page.

    Attributes:
        views: what is shown of it; None if it was not kept.
        licence: of the original, with its author; empty if it is not stated.
    """

    views: PictureViews | None
    licence: str = ""


@dataclass(frozen=True)
class Circumstances:
    """What differs each time that the same is run again.

    Attributes:
        beside: the published results, with what ours cost on this machine; None if nothing
            comparable is published.
        cost: times and memory, in words, by name.
        lineage: commit and run, by name.
        commands: what each does, and the text to copy.
    """

    beside: BesidePublished | None
    cost: Mapping[str, str]
    lineage: Mapping[str, str]
    commands: Sequence[tuple[str, str]]


Pictures = Mapping[tuple[str, str], PagePicture]
"""The pictures of a page, by benchmark and name."""


def is_page(path: Path) -> bool:
    """Return whether a file is a page that :func:`render` made."""
    return _MARK in path.read_text(encoding="utf-8", errors="replace")


def render(template: str, **values: Any) -> str:  # noqa: ANN401 (any value of a template)
    """Render a page of this package, with the values that all pages need."""
    metrics = [metric for metric in values["sections"][0].metrics if metric.tolerance is not None]
    return _template(template).render(
        mark=_MARK,
        style=THEME + STYLE + CROP_STYLE,
        slider=lambda before, after, names: slider(before, after, names=names),
        original=ORIGINAL,
        primary=PRIMARY,
        published_headings=headings(metrics),
        reference=REFERENCE,
        values_text=values_text,
        **values,
    )


def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("drnsr", "reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


@dataclass(frozen=True)
class Report:
    """The results of a run, which are the same each time that the same is run.

    Attributes:
        rows: a row for each picture, benchmark by benchmark.
        model: the name of the model in the tables.
        scale: the factor of the super-resolution.
        protocol: how the rows were measured.
        comparisons: the content of ``metrics/verify.json``.
        beside: the published results, without the seconds of ours; None if nothing comparable is
            published.
        curves: from :func:`drnsr.reporting.charts.curve_charts`.
        pictures: the views of pictures, at least those with the largest and the least gains.
        audit: what the leak audit found, in a sentence.
        cost: of the model, the same on each machine, in words, by name.
        lineage: what the results were made from, by name.
        commands: what each does, and the text to copy.
        config: the composed configuration.
        degradations: the name of the degradation of each benchmark that has one.
        notes: sentences that belong to the verdict.
    """

    rows: Sequence[Row]
    model: str
    scale: int
    protocol: Protocol
    comparisons: Sequence[PublishedComparison]
    beside: BesidePublished | None
    curves: Sequence[str]
    pictures: Pictures
    audit: str
    cost: Mapping[str, str]
    lineage: Mapping[str, str]
    commands: Sequence[tuple[str, str]]
    config: Mapping[str, Any]
    degradations: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def render_report(
    report: Report, *, circumstances: Circumstances | None = None, script: str = ""
) -> str:
    """Render the page, the same for the same results unless it has circumstances.

    Args:
        report: the results.
        circumstances: of the run; None if the page takes them from ``script``.
        script: the URL of a file with :func:`script_of`.
    """
    metrics = report.rows[0].metrics
    methods = scores_of_rows(report.rows, label_of(report.model))
    scores = ScoreSet(methods, {}, metrics, report.scale, report.protocol)
    return render(
        "report.html.j2",
        sections=benchmark_sections(scores, report.degradations),
        settings=flatten(report.config),
        circumstances=circumstances,
        script=script,
        **vars(report),
    )


def script_of(circumstances: Circumstances) -> str:
    """Return the program that puts the circumstances of a run into the page of its results.

    A page that is opened as a file can load a script, and no other kind of data.
    """
    template = _template("circumstances.html.j2")
    parts = template.make_module({"circumstances": circumstances, "reference": REFERENCE})
    content = {name: str(getattr(parts, name)()) for name in _REGIONS}
    return (
        f"for (const [name, html] of Object.entries({json.dumps(content)}))\n"
        '  document.querySelector(`[data-run="${name}"]`).innerHTML = html;\n'
    )
