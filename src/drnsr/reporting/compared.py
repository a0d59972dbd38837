"""The evaluations that are compared on one page, and whether they can be compared."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

from drnsr.errors import UserError
from drnsr.evaluation.metrics import PRIMARY
from drnsr.evaluation.results import read_rows
from drnsr.evaluation.scores import Score
from drnsr.hashing import file_sha256
from drnsr.project import MODEL, PER_IMAGE, SUMMARY
from drnsr.reporting.sections import scores_of_rows
from drnsr.tracking.promotion import Evaluation

_SAME = 1e-3  # dB of bicubic, within which a picture is the same one on any machine


class CompareError(UserError):
    """Results that cannot stand beside each other."""


@dataclass(frozen=True)
class EvaluatedRun:
    """A run that was evaluated before.

    Attributes:
        name: as the user called it.
        evaluation: its results.
        model: its model file; None if it is not at hand.
        sha256: of its model; empty if it is not known.
    """

    name: str
    evaluation: Evaluation
    model: Path | None
    sha256: str

    def degradation(self, benchmark: str) -> str:
        """The name of what made LR; empty for the protocol."""
        return str(self.evaluation.summary[benchmark].get("degradation", ""))


@dataclass(frozen=True)
class Measured:
    """What several runs were measured on and how, or what a model is to be measured on.

    Attributes:
        benchmarks: their names.
        scale: the factor of the super-resolution.
        protocol: its name.
    """

    benchmarks: list[str]
    scale: int
    protocol: str


def read_run_folder(name: str) -> EvaluatedRun:
    """Read the results that a run left in its folder.

    Args:
        name: the folder, as the user called it.

    Raises:
        CompareError: if it was not evaluated.
    """
    folder = Path(name)
    for file in (SUMMARY, PER_IMAGE):
        if not (folder / file).is_file():
            raise CompareError(
                f"{folder}: there is no {file}: this is no folder of a run that was evaluated"
            )
    summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    model = folder / MODEL
    evaluation = Evaluation(summary, read_rows(folder / PER_IMAGE))
    if not model.is_file():
        return EvaluatedRun(name, evaluation, None, "")
    return EvaluatedRun(name, evaluation, model, file_sha256(model))


def what_was_measured(
    runs: Sequence[EvaluatedRun],
    benchmarks: Sequence[str] | None,
    scale: int | None,
    protocol: str | None,
) -> Measured:
    """Return the benchmarks that all runs have in common, their scale and protocol.

    Args:
        runs: one or more.
        benchmarks: those that the user asks for; None for all that the runs have in common.
        scale: what the user asks for; None for that of the runs.
        protocol: what the user asks for; None for that of the runs.

    Raises:
        CompareError: if they differ, or differ from what the user asks for.
    """
    common = [
        name
        for name in runs[0].evaluation.summary
        if all(name in run.evaluation.summary for run in runs)
    ]
    if not common:
        lists = "; ".join(f"{run.name} on {', '.join(run.evaluation.summary)}" for run in runs)
        raise CompareError(f"no benchmark in common: measured were {lists}")
    for name in benchmarks or ():
        if name not in common:
            raise CompareError(
                f"--benchmark: {name} is not among those that the runs have: {', '.join(common)}"
            )
    chosen = list(benchmarks or common)
    for key, wanted in (("scale", scale), ("protocol", protocol)):
        _require_same(runs, chosen, key, wanted)
    _require_same(runs, chosen, "degradation", None)
    first = runs[0].evaluation.summary[chosen[0]]
    return Measured(chosen, first["scale"], first["protocol"])


def _require_same(
    runs: Sequence[EvaluatedRun], benchmarks: Sequence[str], key: str, wanted: object
) -> None:
    """Check that all runs have one value of a key of their summaries, the wanted one if any."""
    name, first = runs[0].name, runs[0].evaluation.summary[benchmarks[0]].get(key)
    if wanted is not None and wanted != first:
        raise CompareError(f"--{key}: {wanted} is not that of {name}, {first}")
    for run in runs:
        for benchmark in benchmarks:
            found = run.evaluation.summary[benchmark].get(key)
            reference = (
                runs[0].evaluation.summary[benchmark].get(key) if key == "degradation" else first
            )
            if found != reference:
                raise CompareError(
                    f"another {key}: {run.name} has {found or 'none'} on {benchmark}, and"
                    f" {name} has {reference or 'none'}"
                )


def scores_of_runs(runs: Sequence[EvaluatedRun], benchmarks: Sequence[str]) -> list[Score]:
    """Return the scores of all runs, picture by picture.

    Raises:
        CompareError: if a benchmark had other pictures for one of them.
    """
    scores = []
    for run in runs:
        for benchmark in benchmarks:
            first, rows = runs[0].evaluation.on(benchmark), run.evaluation.on(benchmark)
            require_same_pictures(
                benchmark,
                (runs[0].name, {name: row.bicubic for name, row in first.items()}),
                (run.name, {name: row.bicubic for name, row in rows.items()}),
            )
            scores += scores_of_rows([rows[name] for name in first], run.name, bicubic=None)
    return scores


def require_same_pictures(
    benchmark: str,
    first: tuple[str, Mapping[str, Mapping[str, Any]]],
    second: tuple[str, Mapping[str, Mapping[str, Any]]],
) -> None:
    """Check that two evaluations had the same pictures: their names, and the values of bicubic.

    Args:
        benchmark: its name.
        first: whose evaluation it is, and the values of bicubic for each picture.
        second: the same of the other one.

    Raises:
        CompareError: if they differ.
    """
    (name, before), (other, after) = first, second
    different = before.keys() ^ after.keys() or {
        picture
        for picture in before
        if not isclose(before[picture][PRIMARY.name], after[picture][PRIMARY.name], abs_tol=_SAME)
    }
    if different:
        raise CompareError(
            f"{benchmark} had other pictures for {other} than for {name}:"
            f" {', '.join(sorted(different)[:3])}"
        )
