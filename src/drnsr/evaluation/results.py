"""The results of an evaluation as files: a summary for machines and a row for each picture."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Any

from drnsr.atomic import write_text
from drnsr.evaluation.benchmark import Measured, Score, mean_score
from drnsr.evaluation.protocol import Protocol


@dataclass(frozen=True)
class Row:
    """One picture's numbers, or the mean of a benchmark's; PSNR in dB.

    ``pixels`` is how many were compared.
    """

    benchmark: str
    image: str
    pixels: int
    bicubic_psnr: float
    bicubic_ssim: float
    model_psnr: float
    model_ssim: float
    gain_psnr: float
    gain_ssim: float


def row_of(benchmark: str, measured: Measured) -> Row:
    """The numbers of one measured picture."""
    scores = (measured.results["bicubic"].score, measured.results["model"].score)
    return _row(benchmark, measured.name, measured.pixels, *scores)


def mean_row(rows: Sequence[Row], protocol: Protocol) -> Row:
    """The mean of one benchmark's rows, under the name ``mean``."""
    pixels = [row.pixels for row in rows]
    bicubic = [Score(row.bicubic_psnr, row.bicubic_ssim) for row in rows]
    model = [Score(row.model_psnr, row.model_ssim) for row in rows]
    means = (mean_score(scores, pixels, protocol) for scores in (bicubic, model))
    return _row(rows[0].benchmark, "mean", sum(pixels), *means)


def by_benchmark(rows: Sequence[Row], protocol: Protocol) -> list[tuple[str, list[Row], Row]]:
    """Each benchmark's name, rows and mean, in the order of the rows."""
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row.benchmark)]
    return [(group[0].benchmark, group, mean_row(group, protocol)) for group in groups]


def summary(rows: Sequence[Row], *, scale: int, protocol: Protocol) -> dict[str, dict[str, Any]]:
    """The means of each benchmark, with what the numbers were measured by."""
    return {
        benchmark: {
            "bicubic": {"psnr": mean.bicubic_psnr, "ssim": mean.bicubic_ssim},
            "model": {"psnr": mean.model_psnr, "ssim": mean.model_ssim},
            "gain": {"psnr": mean.gain_psnr, "ssim": mean.gain_ssim},
            "images": len(of_benchmark),
            "scale": scale,
            "protocol": protocol.name,
        }
        for benchmark, of_benchmark, mean in by_benchmark(rows, protocol)
    }


def write_summary(path: Path, content: Mapping[str, Any]) -> None:
    """Write :func:`summary` as JSON, every digit kept."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write a row for each picture as CSV, every digit kept."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    write_text(path, buffer.getvalue())


def read_rows(path: Path) -> list[Row]:
    """Read what :func:`write_rows` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(benchmark, image, int(pixels), *map(float, numbers))
            for benchmark, image, pixels, *numbers in list(csv.reader(file))[1:]
        ]


def _row(benchmark: str, image: str, pixels: int, bicubic: Score, model: Score) -> Row:
    gain = model - bicubic
    scores = (bicubic.psnr, bicubic.ssim, model.psnr, model.ssim, gain.psnr, gain.ssim)
    return Row(benchmark, image, pixels, *scores)
