"""Evaluate models, interpolation, or images that another program upscaled.

Benchmarks are fetched when they are not there yet.
"""

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from drnsr.data.prepared import PreparedDataset
    from drnsr.evaluation.benchmark import Method
    from drnsr.evaluation.cost import Cost
    from drnsr.evaluation.metrics import Metric
    from drnsr.evaluation.protocol import Protocol


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    from drnsr.evaluation.metrics import METRICS, reported_metrics

    parser.add_argument(
        "methods",
        nargs="+",
        metavar="METHOD",
        help="a model (drnsr-x2, a file, an MLflow URI), bicubic, nearest, lanczos, or with"
        " --images a folder",
    )
    parser.add_argument(
        "--benchmark", default="sample_test", help="names in conf/benchmark, with commas between"
    )
    parser.add_argument(
        "--folder", type=Path, help="your own test pictures, for the benchmark `folder`"
    )
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument(
        "--metrics",
        default=",".join(metric.name for metric in reported_metrics()),
        help=f"of {', '.join(METRICS)}, with commas between; methods are compared by the first one"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--protocol",
        default="paper_y",
        help="paper_y, classic_y, yround, rgb, or fields: '{name: mine, border_pixels: 2}'",
    )
    parser.add_argument(
        "--device",
        default="cpu",
        help="that models run on: cpu, cuda, mps, or auto for the fastest here (default: cpu)",
    )
    parser.add_argument(
        "--images", action="store_true", help="each METHOD is a folder of enlarged pictures"
    )
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="print JSON and nothing else")
    formats.add_argument("--csv", action="store_true", help="print CSV and nothing else")


def run(parsed: argparse.Namespace) -> None:
    """Measure and print."""
    from drnsr.cli.benchmarks import open_benchmarks
    from drnsr.device import resolve_device
    from drnsr.evaluation.metrics import get_metrics

    parsed.metrics = get_metrics(parsed.metrics.split(","))
    parsed.protocol = _protocol(parsed.protocol)
    parsed.device = resolve_device(parsed.device)
    scores: list[_Score] = []
    for dataset in open_benchmarks(parsed.benchmark, parsed.scale, parsed.folder):
        scores += _measure(dataset, parsed)
    costs = _costs(parsed)
    if parsed.csv or parsed.json:
        rows = [_row(score, parsed) | _cost_fields(costs.get(score.method)) for score in scores]
        if parsed.json:
            print(json.dumps(rows, indent=2))
        else:
            writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    else:
        _print(scores, costs, parsed)


@dataclass(frozen=True)
class _Score:
    """One method on one picture; ``values`` are by the names of the metrics."""

    benchmark: str
    image: str
    method: str
    values: Mapping[str, float | None]
    pixels: int


def _row(score: _Score, parsed: argparse.Namespace) -> dict[str, object]:
    """A score as JSON and CSV have it."""
    return {
        "benchmark": score.benchmark,
        "image": score.image,
        "method": score.method,
        **score.values,
        "pixels": score.pixels,
        "scale": parsed.scale,
        "protocol": parsed.protocol.name,
    }


def _protocol(text: str) -> "Protocol":
    """A protocol, written as in params.yaml: a name, or fields in braces."""
    from omegaconf import OmegaConf
    from yaml import YAMLError

    from drnsr.evaluation.protocol import ProtocolError, get_protocol

    try:
        choice = OmegaConf.from_dotlist([f"protocol={text}"]).protocol
    except YAMLError as error:
        raise ProtocolError(f"--protocol: {text!r} is neither a name nor {{key: value}}") from error
    return get_protocol(choice)


def _methods(dataset: "PreparedDataset", parsed: argparse.Namespace) -> "list[Method]":
    from drnsr.cli.models import model_file
    from drnsr.evaluation.methods import (
        CLASSICAL,
        classical_method,
        model_method,
        pictures_method,
    )

    methods = []
    for name in parsed.methods:
        if parsed.images:
            methods.append(pictures_method(Path(name), dataset, parsed.protocol))
        elif name in CLASSICAL:
            methods.append(classical_method(name, parsed.scale, parsed.protocol))
        else:
            methods.append(model_method(model_file(name), parsed.scale, name, parsed.device))
    return methods


def _measure(dataset: "PreparedDataset", parsed: argparse.Namespace) -> list[_Score]:
    from rich.console import Console
    from rich.progress import track

    from drnsr.evaluation.benchmark import measure

    measured = measure(
        dataset,
        _methods(dataset, parsed),
        scale=parsed.scale,
        protocol=parsed.protocol,
        metrics=parsed.metrics,
    )
    console = Console(stderr=True)
    shown = track(measured, f"measuring {dataset.name}", total=len(dataset.images), console=console)
    return [
        _Score(dataset.name, picture.name, method, result.values, picture.pixels)
        for picture in shown
        for method, result in picture.results.items()
    ]


def _costs(parsed: argparse.Namespace) -> "dict[str, Cost]":
    """What each model costs; classical interpolation and finished pictures have no such columns."""
    from drnsr.cli.models import model_file
    from drnsr.evaluation.cost import measure_cost
    from drnsr.evaluation.methods import CLASSICAL
    from drnsr.weights.loading import load_network

    models = [] if parsed.images else [name for name in parsed.methods if name not in CLASSICAL]
    return {
        name: measure_cost(load_network(model_file(name)), parsed.scale, parsed.device)
        for name in models
    }


def _cost_fields(cost: "Cost | None") -> dict[str, float | None]:
    from drnsr.training.scalars import MODEL_COSTS

    return {scalar.name: getattr(cost, scalar.name, None) for scalar in MODEL_COSTS}


def _print(scores: list[_Score], costs: "dict[str, Cost]", parsed: argparse.Namespace) -> None:
    from rich.console import Console

    console = Console()
    console.print(_score_table(scores, parsed))
    if costs:
        console.print(_cost_table(costs, parsed.device))
    first = parsed.methods[0]
    for benchmark in _benchmarks(scores):
        for name in parsed.methods[1:]:
            pair = _of(scores, benchmark, first), _of(scores, benchmark, name)
            console.print(_compared(*pair, parsed.metrics[0]), highlight=False)
    protocol = parsed.protocol
    console.print(f"{protocol.name}: {protocol.description}", highlight=False)


def _score_table(scores: list[_Score], parsed: argparse.Namespace) -> "Table":
    """A row for each method on each benchmark: any number of them fits a narrow terminal."""
    from rich.table import Table

    table = Table(title=f"Scale {parsed.scale}, protocol {parsed.protocol.name}")
    for heading in ("benchmark", "method"):
        table.add_column(heading, overflow="fold")
    for metric in parsed.metrics:
        table.add_column(metric.heading, justify="right", no_wrap=True)
    for benchmark in _benchmarks(scores):
        table.add_section()
        for name in parsed.methods:
            of_method = _of(scores, benchmark, name)
            means = (_mean(of_method, metric, parsed.protocol) for metric in parsed.metrics)
            table.add_row(benchmark, name, *means)
    return table


def _cost_table(costs: "dict[str, Cost]", device: str) -> "Table":
    from rich.table import Table

    from drnsr.training.scalars import MODEL_COSTS

    table = Table(
        title=f"What it costs: operations and time for a megapixel of output, on {device}"
    )
    table.add_column("model", overflow="fold")
    for scalar in MODEL_COSTS:
        table.add_column(scalar.label, justify="right", no_wrap=True)
    for name, cost in costs.items():
        cells = (scalar.text(getattr(cost, scalar.name)) for scalar in MODEL_COSTS)
        table.add_row(name, *cells)
    return table


def _benchmarks(scores: list[_Score]) -> list[str]:
    return list(dict.fromkeys(score.benchmark for score in scores))


def _of(scores: list[_Score], benchmark: str, method: str) -> list[_Score]:
    return [score for score in scores if (score.benchmark, score.method) == (benchmark, method)]


def _mean(scores: list[_Score], metric: "Metric", protocol: "Protocol") -> str:
    from drnsr.evaluation.benchmark import mean_value

    values = [score.values[metric.name] for score in scores]
    mean = mean_value(metric, values, [score.pixels for score in scores], protocol)
    return metric.text(mean, compared=True)


def _compared(first: Sequence[_Score], second: Sequence[_Score], metric: "Metric") -> str:
    """What the pictures prove on which the metric is defined."""
    from drnsr.evaluation.statistics import paired_difference

    start = f"{second[0].benchmark}: {second[0].method}"
    before, after = ([score.values[metric.name] for score in each] for each in (first, second))
    found = paired_difference(before, after, metric)
    if found.pictures == 0:
        return f"{start} and {first[0].method}: {found.sentence}"
    return (
        f"{start} is {found.text(found.mean, unit=True)} from {first[0].method} in {metric.label}"
        f" (95 % interval {found.text(found.low)} to {found.text(found.high)}): {found.sentence}"
    )
