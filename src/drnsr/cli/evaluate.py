"""Measure models, interpolation, or pictures that others made.

Benchmarks are fetched when they are not there yet.
"""

import argparse
import csv
import json
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from drnsr.data.packing import Pack
    from drnsr.evaluation.benchmark import Method
    from drnsr.evaluation.cost import Cost
    from drnsr.evaluation.protocol import Protocol


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
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
        "--protocol",
        default="paper_y",
        help="paper_y, classic_y, yround, rgb, or fields: '{name: mine, border_pixels: 2}'",
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

    protocol = _protocol(parsed.protocol)
    scores: list[_Score] = []
    for pack in open_benchmarks(parsed.benchmark, parsed.scale, parsed.folder):
        scores += _measure(pack, parsed, protocol)
    costs = _costs(parsed)
    if parsed.csv or parsed.json:
        rows = [asdict(score) | _cost_fields(costs.get(score.method)) for score in scores]
        if parsed.json:
            print(json.dumps(rows, indent=2))
        else:
            writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    else:
        _print(scores, costs, parsed.methods, protocol)


@dataclass(frozen=True)
class _Score:
    """One method on one picture."""

    benchmark: str
    image: str
    method: str
    psnr: float
    ssim: float
    vif: float | None
    pixels: int
    scale: int
    protocol: str


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


def _methods(pack: "Pack", parsed: argparse.Namespace, protocol: "Protocol") -> "list[Method]":
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
            methods.append(pictures_method(Path(name), pack, protocol))
        elif name in CLASSICAL:
            methods.append(classical_method(name, parsed.scale, protocol))
        else:
            methods.append(model_method(model_file(name), parsed.scale, name))
    return methods


def _measure(pack: "Pack", parsed: argparse.Namespace, protocol: "Protocol") -> list[_Score]:
    from rich.console import Console
    from rich.progress import track

    from drnsr.evaluation.benchmark import measure

    methods = _methods(pack, parsed, protocol)
    measured = measure(pack, methods, scale=parsed.scale, protocol=protocol)
    console = Console(stderr=True)
    shown = track(measured, f"measuring {pack.name}", total=len(pack.images), console=console)
    return [
        _Score(
            benchmark=pack.name,
            image=picture.name,
            method=method,
            psnr=result.score.psnr,
            ssim=result.score.ssim,
            vif=result.vif(),
            pixels=picture.pixels,
            scale=parsed.scale,
            protocol=protocol.name,
        )
        for picture in shown
        for method, result in picture.results.items()
    ]


def _costs(parsed: argparse.Namespace) -> "dict[str, Cost]":
    """What each model costs; classical interpolation and finished pictures have no such columns."""
    from drnsr.checkpoints.loading import load_network
    from drnsr.cli.models import model_file
    from drnsr.evaluation.cost import measure_cost
    from drnsr.evaluation.methods import CLASSICAL

    models = [] if parsed.images else [name for name in parsed.methods if name not in CLASSICAL]
    return {
        name: measure_cost(load_network(model_file(name)), parsed.scale, "cpu") for name in models
    }


def _cost_fields(cost: "Cost | None") -> dict[str, float | None]:
    from drnsr.evaluation.cost import Cost

    return {field.name: getattr(cost, field.name, None) for field in fields(Cost)}


def _print(
    scores: list[_Score], costs: "dict[str, Cost]", names: list[str], protocol: "Protocol"
) -> None:
    from rich.console import Console

    console = Console()
    console.print(_score_table(scores, names, protocol))
    if costs:
        console.print(_cost_table(costs))
    for benchmark in dict.fromkeys(score.benchmark for score in scores):
        for name in names[1:]:
            line = _compared(_of(scores, benchmark, names[0]), _of(scores, benchmark, name))
            console.print(line, highlight=False)
    console.print(f"{protocol.name}: {protocol.description}", highlight=False)


def _score_table(scores: list[_Score], names: list[str], protocol: "Protocol") -> "Table":
    from rich.table import Table

    benchmarks = list(dict.fromkeys(score.benchmark for score in scores))
    table = Table(
        title=f"PSNR in dB / SSIM / VIF at scale {scores[0].scale}, protocol {protocol.name}"
    )
    table.add_column("method", overflow="fold")
    for benchmark in benchmarks:
        table.add_column(benchmark, justify="right", no_wrap=True)
    for name in names:
        cells = (_mean(_of(scores, benchmark, name), protocol) for benchmark in benchmarks)
        table.add_row(name, *cells)
    return table


def _cost_table(costs: "dict[str, Cost]") -> "Table":
    from rich.table import Table

    table = Table(title="What it costs: operations and time for a megapixel of output, on this CPU")
    table.add_column("model", overflow="fold")
    for heading in ("parameters", "multiply-adds", "seconds", "peak memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, cost in costs.items():
        peak = cost.peak_memory_mib
        table.add_row(
            name,
            f"{cost.parameters:,}",
            f"{cost.multiply_adds_per_megapixel:,.1f} G",
            f"{cost.seconds_per_megapixel:.2f}",
            f"{peak:,.0f} MiB" if peak is not None else "not known here",
        )
    return table


def _of(scores: list[_Score], benchmark: str, method: str) -> list[_Score]:
    return [score for score in scores if (score.benchmark, score.method) == (benchmark, method)]


def _mean(scores: list[_Score], protocol: "Protocol") -> str:
    from drnsr.evaluation.benchmark import Score, mean_score

    pairs = [Score(score.psnr, score.ssim) for score in scores]
    mean = mean_score(pairs, [score.pixels for score in scores], protocol)
    perceptual = [score.vif for score in scores if score.vif is not None]
    vif = f"{fmean(perceptual):.3f}" if perceptual else "-"
    return f"{mean.psnr:.3f} / {mean.ssim:.4f} / {vif}"


def _compared(first: list[_Score], second: list[_Score]) -> str:
    from drnsr.evaluation.statistics import paired_difference

    found = paired_difference([score.psnr for score in first], [score.psnr for score in second])
    return (
        f"{second[0].benchmark}: {second[0].method} is {found.mean:+.3f} dB from"
        f" {first[0].method} (95 % interval {found.low:+.3f} to {found.high:+.3f}):"
        f" {found.sentence}"
    )
