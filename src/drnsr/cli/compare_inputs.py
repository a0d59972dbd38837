"""What the names and options of `drnsr compare` stand for."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drnsr.cli.evaluation_options import parse_protocol
from drnsr.cli.models import model_file
from drnsr.evaluation.methods import CLASSICAL
from drnsr.evaluation.protocol import PROTOCOLS, Protocol
from drnsr.hashing import file_sha256
from drnsr.reporting.compared import (
    CompareError,
    EvaluatedRun,
    Measured,
    read_run_folder,
    what_was_measured,
)


@dataclass(frozen=True)
class Inputs:
    """What the user named, in the order of the command.

    Attributes:
        names: of all methods.
        runs: those that were evaluated before.
        files: the model file of each other method; None for an interpolation.
    """

    names: Sequence[str]
    runs: Sequence[EvaluatedRun]
    files: Mapping[str, Path | None]

    @property
    def models(self) -> dict[str, Path]:
        """The model files that are at hand, of runs as well."""
        of_runs = {run.name: run.model for run in self.runs}
        known = {name: {**of_runs, **self.files}[name] for name in self.names}
        return {name: file for name, file in known.items() if file is not None}

    @property
    def drawable(self) -> dict[str, Path | None]:
        """What can upscale a picture here: the model files, and None for interpolations."""
        classical = {name: None for name in self.names if name in CLASSICAL}
        return {**classical, **self.models}


def read_inputs(names: Sequence[str]) -> Inputs:
    """Find what each name stands for.

    Raises:
        UserError: if there is only one, one is named twice, or one is missing or not evaluated.
    """
    if len(names) < 2:
        raise CompareError("two are compared, or more: name another run or model")
    runs: list[EvaluatedRun] = []
    files: dict[str, Path | None] = {}
    known: dict[str, str] = {}
    for name in names:
        key = str(Path(name).resolve())
        if name in CLASSICAL:
            files[name] = None
        elif Path(name).is_dir() or _is_run_id(name):
            runs.append(read_run_folder(name) if Path(name).is_dir() else _tracked_run(name))
            key = runs[-1].sha256 or key
        else:
            file = files[name] = model_file(name)
            key = file_sha256(file)
        if key in known:
            other = known[key]
            same = "twice" if other == name else f"and {other} are the same"
            raise CompareError(f"{name} {same}: a comparison needs two different ones")
        known[key] = name
    return Inputs(names, runs, files)


def _is_run_id(name: str) -> bool:
    return len(name) == 32 and not set(name) - set("0123456789abcdef") and not Path(name).exists()


def _tracked_run(run_id: str) -> EvaluatedRun:
    from drnsr.tracking.record import find_record, read_evaluation  # imports MLflow

    record = find_record(run_id)
    evaluation = read_evaluation(record.run_id)
    return EvaluatedRun(run_id, evaluation, None, record.model_sha256 or "")


def what_to_measure(inputs: Inputs, parsed: argparse.Namespace) -> tuple[Measured, Protocol]:
    """Return what the runs were measured on, or what the user asks for, and the protocol.

    Raises:
        UserError: if the runs do not agree with each other or with the user.
    """
    wanted = None if parsed.protocol is None else parse_protocol(parsed.protocol)
    names = parsed.benchmark.split(",") if parsed.benchmark else None
    if not inputs.runs:
        protocol = wanted or PROTOCOLS["paper_y"]
        return Measured(names or ["sample_test"], parsed.scale or 2, protocol.name), protocol
    measured = what_was_measured(
        inputs.runs, names, parsed.scale, None if wanted is None else wanted.name
    )
    if wanted is None and measured.protocol not in PROTOCOLS:
        raise CompareError(
            f"the runs were measured by a protocol of your own, {measured.protocol}: give its"
            f" fields, as in --protocol '{{name: {measured.protocol}, ...}}'"
        )
    return measured, wanted or PROTOCOLS[measured.protocol]
