"""The commands of a report: what to call to get the same again, and to go on."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

PAPERS_BENCHMARK = "set5"
BANDS = "bands"  # the protocol of pictures that are not RGB


def reproduction_command(lineage: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the command that makes a run again; none if neither its run nor its commit is known.

    Args:
        lineage: with the ``MLflow run`` or the ``git commit`` of the report.
    """
    run, commit = lineage.get("MLflow run", ""), lineage.get("git commit", "")
    if run and " " not in run:
        text = f"drnsr reproduce {run}"
        return [("The same training from the record of its run, compared number by number:", text)]
    sha, _, changes = commit.partition(" ")
    if not sha or sha == "unknown":
        return []
    missing = ", without its uncommitted changes" if changes else ""
    return [(f"The whole graph at its commit{missing}:", f"git checkout {sha}\ndvc repro")]


def model_commands(
    model: Path, *, scale: int, protocol: object, benchmarks: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """Return commands for a model file: measure it again, use it, compare it.

    Args:
        model: the file.
        scale: its scale.
        protocol: the name of the protocol, or the fields of the user's own.
        benchmarks: the configuration of each benchmark that it was measured on.
    """
    measured = _benchmark_options(benchmarks)
    options = [*_scale_option(scale), *_protocol_option(protocol)]
    commands = []
    if measured is not None:
        again = ["drnsr", "evaluate", "bicubic", str(model), *measured, *options]
        commands.append(("The measurement alone:", shlex.join(again)))
    use = ["drnsr", "upscale", "PICTURES", "--model", str(model), "--out", "upscaled"]
    commands.append(("Upscale pictures with this model:", shlex.join(use)))
    if protocol != BANDS:  # the papers' pictures are RGB
        papers = ["--benchmark", PAPERS_BENCHMARK, *_scale_option(scale)]
        compare = ["drnsr", "compare", "bicubic", str(model), *papers]
        commands.append(("Such a page on a benchmark of the papers:", shlex.join(compare)))
    return commands


def _scale_option(scale: int) -> list[str]:
    return ["--scale", str(scale)]


def _protocol_option(protocol: object) -> list[str]:
    if isinstance(protocol, str):
        return ["--protocol", protocol]
    text = yaml.safe_dump(protocol, default_flow_style=True, sort_keys=False, width=10_000)
    return ["--protocol", text.strip()]


def _benchmark_options(benchmarks: Mapping[str, Mapping[str, Any]]) -> Sequence[str] | None:
    """Return the options that name the benchmarks; None if one is a part of a training picture."""
    if any(not (each["registry"] or each["folder"]) for each in benchmarks.values()):
        return None
    options = ["--benchmark", ",".join(benchmarks)]
    folders = [each["folder"] for each in benchmarks.values() if each["folder"]]
    return [*options, "--folder", folders[0]] if folders else options
