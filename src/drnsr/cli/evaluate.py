"""Evaluate models, interpolation, or images that another program upscaled.

A benchmark is fetched and prepared if it is not there yet.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track

from drnsr.errors import printable
from drnsr.evaluation.metrics import METRICS, get_metrics, reported_metrics

if TYPE_CHECKING:
    from drnsr.data.prepared import PreparedDataset
    from drnsr.evaluation.benchmark import Measured
    from drnsr.evaluation.scores import ScoreSet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "methods",
        nargs="+",
        metavar="METHOD",
        help="a model (drnsr-x2, a file, an MLflow URI), bicubic, nearest, lanczos, or with"
        " --images a folder; the others are compared with the first",
    )
    parser.add_argument(
        "--benchmark",
        default="sample_test",
        help="names in conf/benchmark, separated by commas (default: %(default)s)",
    )
    parser.add_argument(
        "--folder", type=Path, help="your own test images, for the benchmark `folder`"
    )
    parser.add_argument("--scale", type=int, default=2, help="default: %(default)s")
    parser.add_argument(
        "--metrics",
        default=",".join(metric.name for metric in reported_metrics()),
        help=f"names among {', '.join(METRICS)}, separated by commas; methods are compared by the"
        " first (default: %(default)s)",
    )
    parser.add_argument(
        "--protocol",
        default="paper_y",
        help="paper_y, classic_y, yround, rgb, or fields: '{name: mine, border_pixels: 2}'"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--device",
        default="cpu",
        help="the device for the models: cpu, cuda, mps, or auto for the fastest one here"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--images", action="store_true", help="each METHOD is a folder of upscaled images"
    )
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="print JSON and nothing else")
    formats.add_argument("--csv", action="store_true", help="print CSV and nothing else")


def run(parsed: argparse.Namespace) -> None:
    """Evaluate the methods and print the scores.

    Raises:
        UserError: if a method, a benchmark or an option cannot be used.
    """
    from drnsr.cli.evaluation_options import open_benchmarks, parse_protocol
    from drnsr.cli.models import model_file
    from drnsr.device import resolve_device
    from drnsr.evaluation.benchmark import measure
    from drnsr.evaluation.cost import measure_cost
    from drnsr.evaluation.methods import (
        CLASSICAL,
        classical_method,
        model_method,
        pictures_method,
    )
    from drnsr.evaluation.scores import Score, ScoreSet, to_scores
    from drnsr.weights.loading import load_network

    metrics = get_metrics(parsed.metrics.split(","))
    protocol = parse_protocol(parsed.protocol)
    device, scale = resolve_device(parsed.device), parsed.scale
    models = [] if parsed.images else [name for name in parsed.methods if name not in CLASSICAL]
    files = {name: model_file(name) for name in models}

    scores: list[Score] = []
    degraded: list[str] = []
    for dataset in open_benchmarks(parsed.benchmark, scale, parsed.folder):
        methods = []
        for name in parsed.methods:
            if parsed.images:
                methods.append(pictures_method(Path(name), dataset, protocol))
            elif name in CLASSICAL:
                methods.append(classical_method(name, scale, protocol))
            else:
                methods.append(model_method(files[name], scale, name, device))
        measured = measure(dataset, methods, scale=scale, protocol=protocol, metrics=metrics)
        scores += to_scores(dataset.name, _with_progress(measured, dataset))
        if made := dataset.degradation:
            degraded.append(f"{dataset.name}: LR is degraded: {made['name']}, seed {made['seed']}")
    costs = {name: measure_cost(load_network(file), scale, device) for name, file in files.items()}
    _print(ScoreSet(scores, costs, metrics, scale, protocol), degraded, device, parsed)


def _with_progress(
    measured: "Iterator[Measured]", dataset: "PreparedDataset"
) -> "Iterable[Measured]":
    title = f"measuring {dataset.name}"
    return track(measured, title, total=len(dataset.images), console=Console(stderr=True))


def _print(
    scores: "ScoreSet", degraded: list[str], device: str, parsed: argparse.Namespace
) -> None:
    from drnsr.reporting.score_tables import cost_table, difference_sentences, score_table

    if parsed.json:
        print(json.dumps(scores.records(), indent=2))
    elif parsed.csv:
        records = scores.records()
        writer = csv.DictWriter(sys.stdout, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    else:
        console = Console()
        console.print(score_table(scores))
        if scores.costs:
            console.print(cost_table(scores, device))
        protocol = scores.protocol
        description = f"{protocol.name}: {protocol.description}"
        for line in (*difference_sentences(scores), description, *degraded):
            console.print(printable(line), markup=False, highlight=False)
