"""The description of a run on its page in MLflow, in Markdown."""

from collections.abc import Mapping, Sequence
from math import isfinite, isnan
from typing import Any
from urllib.parse import quote

from drnsr.evaluation.metrics import PRIMARY, Values, known_metrics
from drnsr.evaluation.results import COMPARED, Row
from drnsr.evaluation.statistics import paired_difference
from drnsr.tracking.runs import EVALUATION_FOLDER
from drnsr.tracking.shown import RUN_ID
from drnsr.tracking.view import main_benchmark
from drnsr.training.scalars import MODEL_COSTS

PREVIEW = "preview.png"
"""The picture of the description, among the files of the evaluation."""

# The part of a sweep's table that is described; the artifacts have the whole.
_LAST, _MOST_JOBS, _LONGEST_CELL = "objective", 20, 40

_SPACE = "\N{NO-BREAK SPACE}" * 3
_AGAIN = f"Made again and compared by `drnsr reproduce {RUN_ID}`."


def describe_training(title: str) -> str:
    """Describe a run whose model has not been evaluated.

    Args:
        title: of the run.
    """
    return f"**{title}**: the model has not been evaluated.\n\n{_AGAIN}\n"


def describe_evaluation(
    title: str,
    summary: Mapping[str, Any],
    rows: Sequence[Row],
    cost: Mapping[str, float | None],
    notes: Sequence[str] = (),
) -> str:
    """Describe a run by the results of its model: the verdict, a table, and a picture.

    Args:
        title: of the run.
        summary: see :func:`drnsr.evaluation.results.summary`.
        rows: a row for each picture.
        cost: what the model takes, by name; None for what is not known.
        notes: see :func:`drnsr.evaluation.notes.training_notes`.
    """
    main = main_benchmark(summary)
    measured = [row for row in rows if row.benchmark == main]
    costs = [
        f"{scalar.heading} {scalar.text(cost[scalar.name])}"
        for scalar in MODEL_COSTS
        if cost.get(scalar.name) is not None
    ]
    paragraphs = [
        f"**{_verdict(main, measured)}**",
        *notes,
        _table(summary),
        "; ".join(costs),
        _picture(main, measured),
        f"{title}. {_AGAIN}",
    ]
    return "\n\n".join(paragraphs) + "\n"


def describe_sweep(objective: str, best: str, table: Sequence[Mapping[str, Any]]) -> str:
    """Describe the parent run of a sweep.

    Args:
        objective: see :class:`drnsr.tracking.objective.Objective`.
        best: the best job and its value, in words; empty if none was measured.
        table: a row for each job; see :func:`drnsr.reporting.sweep.table_of`.
    """
    columns = list(table[0])[: list(table[0]).index(_LAST) + 1]
    rows = [[_cell(row[name]) for name in columns] for row in table[:_MOST_JOBS]]
    lines = [_line(columns), "|---" * len(columns) + "|", *map(_line, rows)]
    left = f" The first {_MOST_JOBS} are shown." if len(table) > _MOST_JOBS else ""
    verdict = f"**{best or 'no job was measured'}**"
    again = f"`drnsr adopt {RUN_ID}` takes the configuration of the best job."
    sentence = f"{len(table)} jobs, compared by {objective}.{left} {again}"
    return "\n\n".join([verdict, "\n".join(lines), sentence]) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    text = f"{value:.4f}" if isinstance(value, float) else str(value).replace("|", "/")
    return text[:_LONGEST_CELL]


def _verdict(benchmark: str, rows: Sequence[Row]) -> str:
    gain = paired_difference(
        [_finite(row.bicubic) for row in rows], [_finite(row.model) for row in rows]
    )
    if isnan(gain.mean):
        return f"{benchmark}: {gain.sentence}"
    return (
        f"{benchmark}: {gain.text(gain.mean, unit=True)} {PRIMARY.label} over bicubic"
        f" (95 % interval {gain.text(gain.low)} to {gain.text(gain.high)}): {gain.sentence}"
    )


def _finite(values: Values) -> float | None:
    """Return the value of the metric; a picture without an error has an infinite PSNR."""
    value = values[PRIMARY.name]
    return value if value is not None and isfinite(value) else None


def _table(summary: Mapping[str, Any]) -> str:
    metrics = known_metrics(next(iter(summary.values()))["model"])
    methods = [f"{each.label} {method}" for each in metrics for method in COMPARED]
    headings = ["benchmark", "pictures", "scale", *methods]
    lines = [_line(headings), "|---" * len(headings) + "|"]
    for name, result in summary.items():
        cells = [
            metric.text(result[method][metric.name], sign=method == "gain", compared=True)
            for metric in metrics
            for method in COMPARED
        ]
        lines.append(_line([name, str(result["images"]), str(result["scale"]), *cells]))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    """Return a line of a table; MLflow's pages leave no space between the columns."""
    return f"|{'|'.join(f'{cell}{_SPACE}' for cell in cells)}|"


def middle_picture(rows: Sequence[Row]) -> str:
    """Return the name of the picture whose gain is in the middle: neither the best nor the worst.

    Args:
        rows: those of one benchmark.
    """
    gains = {row.image: row.gain[PRIMARY.name] for row in rows}
    known = sorted((gain, image) for image, gain in gains.items() if gain is not None)
    return known[len(known) // 2][1] if known else rows[0].image


def _picture(benchmark: str, rows: Sequence[Row]) -> str:
    path = quote(f"{EVALUATION_FOLDER}/{PREVIEW}", safe="")
    caption = f"{middle_picture(rows)} of {benchmark}, whose gain is in the middle"
    return f"![{caption}](get-artifact?path={path}&run_uuid={RUN_ID})\n\n{caption}"
