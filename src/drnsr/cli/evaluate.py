"""Evaluate models, interpolation, or images that another program upscaled.

A benchmark is fetched and prepared if it is not there yet.
"""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from drnsr.cli.device_options import add_device_arguments
from drnsr.errors import UserError, printable
from drnsr.evaluation.metrics import METRICS, get_metrics, reported_metrics
from drnsr.terminal import track

if TYPE_CHECKING:
    from drnsr.data.prepared import PreparedDataset
    from drnsr.evaluation.scores import Score, ScoreSet
    from drnsr.evaluation.sharing import Measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "methods",
        nargs="+",
        metavar="METHOD",
        help="a model (drnsr-x2, a file, an MLflow URI, hf://USER/NAME), bicubic, nearest,"
        " lanczos, or with --images a folder; the others are compared with the first",
    )
    parser.add_argument(
        "--benchmark",
        default="sample_test",
        help="names in conf/benchmark, separated by commas (default: %(default)s)",
    )
    parser.add_argument(
        "--folder", type=Path, help="your own test images, for the benchmark `folder`"
    )
    parser.add_argument(
        "--pixels",
        help="what the images of --folder hold if it is not 8-bit RGB: '{bands: [red, nir]}' and"
        " other fields of data.pixels (default: as a METHOD was trained on)",
    )
    parser.add_argument("--scale", type=int, default=2, help="default: %(default)s")
    parser.add_argument(
        "--metrics",
        help=f"names among {', '.join(METRICS)}, separated by commas; methods are compared by the"
        f" first (default: {_reported('y')}; for the protocol bands {_reported('bands')})",
    )
    parser.add_argument(
        "--protocol",
        default="paper_y",
        help="paper_y, classic_y, yround, rgb, bands, or fields: '{name: mine, border_pixels: 2}'"
        " (default: %(default)s)",
    )
    add_device_arguments(parser)
    parser.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16"),
        default="fp32",
        help="the precision of the models; auto is that of `drnsr upscale` (default: %(default)s)",
    )
    parser.add_argument(
        "--images", action="store_true", help="each METHOD is a folder of upscaled images"
    )
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="print JSON and nothing else")
    formats.add_argument("--csv", action="store_true", help="print CSV and nothing else")


def _reported(measured_on: str) -> str:
    return ",".join(metric.name for metric in reported_metrics(measured_on))


def run(parsed: argparse.Namespace) -> None:
    """Evaluate the methods and print the scores.

    Raises:
        UserError: if a method, a benchmark or an option cannot be used.
    """
    from drnsr.cli.evaluation_options import (
        open_benchmarks,
        parse_pixels,
        parse_protocol,
        pixels_of,
    )
    from drnsr.cli.models import model_file
    from drnsr.device import share_devices
    from drnsr.evaluation.cost import measure_cost
    from drnsr.evaluation.methods import CLASSICAL
    from drnsr.evaluation.scores import ScoreSet
    from drnsr.evaluation.sharing import Measurement
    from drnsr.weights.loading import load_network

    protocol = parse_protocol(parsed.protocol)
    metrics = reported_metrics(protocol.measured_on)
    if parsed.metrics is not None:
        metrics = get_metrics(parsed.metrics.split(","))
    devices, scale = share_devices(parsed.devices, parsed.device), parsed.scale
    if parsed.images and len(devices) > 1:
        raise UserError("--devices: no model is run with --images; leave it out")
    names = [] if parsed.images else parsed.methods
    files = {name: None if name in CLASSICAL else model_file(name) for name in names}
    measurement = Measurement(
        files, scale, protocol, tuple(metric.name for metric in metrics), parsed.precision
    )
    networks = {name: load_network(file) for name, file in files.items() if file is not None}
    trained = [choices for each in networks.values() if (choices := pixels_of(each.pixels))]
    pixels = parse_pixels(parsed.pixels) if parsed.pixels else next(iter(trained), None)
    with open_benchmarks(parsed.benchmark, scale, parsed.folder, pixels) as datasets:
        scores = _measure(datasets, measurement, devices, parsed)
        degraded = [
            f"{dataset.name}: LR is degraded: {made['name']}, seed {made['seed']}"
            for dataset in datasets
            if (made := dataset.degradation)
        ]
    costs = {
        name: measure_cost(network, scale, devices[0], parsed.precision)
        for name, network in networks.items()
    }
    _print(ScoreSet(scores, costs, metrics, scale, protocol), degraded, devices[0], parsed)


def _measure(
    datasets: "Sequence[PreparedDataset]",
    measurement: "Measurement",
    devices: Sequence[str],
    parsed: argparse.Namespace,
) -> "list[Score]":
    """Return the scores in the order of the benchmarks and their pictures."""
    from drnsr.evaluation.benchmark import measure
    from drnsr.evaluation.methods import pictures_method
    from drnsr.evaluation.scores import Score, to_scores
    from drnsr.evaluation.sharing import measure_in_processes

    if len(devices) > 1:
        count = sum(len(dataset.images) for dataset in datasets)
        measured = measure_in_processes(datasets, measurement, devices)
        ready = dict(track(measured, "measuring", count))
        return [score for number in sorted(ready) for score in ready[number]]
    scale, protocol = measurement.scale, measurement.protocol
    scores: list[Score] = []
    methods = measurement.make_methods(devices[0])
    for dataset in datasets:
        if parsed.images:
            folders = map(Path, parsed.methods)
            methods = [pictures_method(folder, dataset, protocol) for folder in folders]
        metrics = get_metrics(measurement.metrics)
        each = measure(dataset, methods, scale=scale, protocol=protocol, metrics=metrics)
        shown = track(each, f"measuring {dataset.name}", len(dataset.images))
        scores += to_scores(dataset.name, shown)
    return scores


def _print(
    scores: "ScoreSet", degraded: list[str], device: str, parsed: argparse.Namespace
) -> None:
    from drnsr.reporting.score_tables import (
        cost_table,
        difference_sentences,
        name_sentences,
        score_table,
    )

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
        lines = (*name_sentences(scores), *difference_sentences(scores), description, *degraded)
        for line in lines:
            console.print(printable(line), markup=False, highlight=False)
