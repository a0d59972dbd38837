"""The results of an evaluation as files: a summary as JSON and a row for each picture as CSV."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from drnsr.atomic import write_text
from drnsr.evaluation.benchmark import Measured, mean_values
from drnsr.evaluation.metrics import PRIMARY, Metric, Values, known_metrics, subtract
from drnsr.evaluation.protocol import Protocol

COMPARED = ("bicubic", "model", "gain")
"""What the files and MLflow hold for each metric; the gain is the model minus bicubic."""


@dataclass(frozen=True)
class Row:
    """The values of one picture, or their means over a benchmark.

    Attributes:
        benchmark: its name.
        image: the name of the picture, or ``mean``.
        pixels: the number of pixels that were compared.
        bicubic: the metrics of bicubic interpolation.
        model: the same metrics of the model.
    """

    benchmark: str
    image: str
    pixels: int
    bicubic: Values
    model: Values

    @property
    def gain(self) -> dict[str, float | None]:
        """The model minus bicubic."""
        return subtract(self.model, self.bicubic)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that were measured."""
        return known_metrics(self.model)


def row_of(benchmark: str, measured: Measured) -> Row:
    """Return the row of one measured picture."""
    values = (measured.results[method].values for method in ("bicubic", "model"))
    return Row(benchmark, measured.name, measured.pixels, *values)


def mean_row(rows: Sequence[Row], protocol: Protocol) -> Row:
    """Return the mean of the rows of one benchmark, under the name ``mean``."""
    pixels = [row.pixels for row in rows]
    bicubic = mean_values([row.bicubic for row in rows], pixels, protocol)
    model = mean_values([row.model for row in rows], pixels, protocol)
    return Row(rows[0].benchmark, "mean", sum(pixels), bicubic, model)


def by_benchmark(rows: Sequence[Row], protocol: Protocol) -> list[tuple[str, list[Row], Row]]:
    """Return the name, the rows and the mean of each benchmark, in the order of the rows."""
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row.benchmark)]
    return [(group[0].benchmark, group, mean_row(group, protocol)) for group in groups]


def extremes(gains: Mapping[str, float | None], count: int = 3) -> tuple[list[str], list[str]]:
    """Return the pictures with the best and the worst gains in :data:`PRIMARY`.

    Args:
        gains: the gain of each picture by its name; those that are not finite have no place.
        count: how many of each at most.

    Returns:
        The names, the best first and the worst first. None is in both lists.
    """
    finite = {
        name: gain for name, gain in gains.items() if gain is not None and math.isfinite(gain)
    }
    sign = -1 if PRIMARY.higher_is_better else 1
    ranked = sorted(finite, key=lambda name: sign * finite[name])
    best = ranked[: min(count, (len(ranked) + 1) // 2)]
    return best, ranked[len(best) :][-count:][::-1]


def summary(rows: Sequence[Row], *, scale: int, protocol: Protocol) -> dict[str, dict[str, Any]]:
    """Return the means of each benchmark with the scale and the protocol they were measured by."""
    return {
        benchmark: {
            **{name: getattr(mean, name) for name in COMPARED},
            "images": len(of_benchmark),
            "scale": scale,
            "protocol": protocol.name,
        }
        for benchmark, of_benchmark, mean in by_benchmark(rows, protocol)
    }


def write_summary(path: Path, content: Mapping[str, Any]) -> None:
    """Write :func:`summary` as JSON without rounding."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write a row for each picture as CSV without rounding; an undefined value is left empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = list(rows[0].model)  # the metrics, and those of each band
    columns = [(method, name) for method in COMPARED for name in names]
    writer.writerow(["benchmark", "image", "pixels", *map("_".join, columns)])
    for row in rows:
        numbers = [getattr(row, method)[name] for method, name in columns]
        writer.writerow([row.benchmark, row.image, row.pixels, *numbers])
    write_text(path, buffer.getvalue())


def read_rows(path: Path) -> list[Row]:
    """Read what :func:`write_rows` wrote, with whichever metrics it has."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(
                cells["benchmark"],
                cells["image"],
                int(cells["pixels"]),
                bicubic=_values(cells, "bicubic_"),
                model=_values(cells, "model_"),
            )
            for cells in csv.DictReader(file)
        ]


def _values(cells: Mapping[str, str], prefix: str) -> dict[str, float | None]:
    return {
        column.removeprefix(prefix): float(cell) if cell else None
        for column, cell in cells.items()
        if column.startswith(prefix)
    }
