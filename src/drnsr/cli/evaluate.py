"""Measure models, interpolation, or pictures that others made.

Benchmarks are fetched when they are not there yet.
"""

import argparse
import csv
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drnsr.data.packing import Pack
    from drnsr.evaluation.benchmark import Method
    from drnsr.evaluation.protocol import Protocol

_DATA = Path("data")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "methods",
        nargs="+",
        metavar="METHOD",
        help="a model file, an MLflow URI, bicubic, nearest, lanczos, or a folder with --images",
    )
    parser.add_argument(
        "--benchmark", default="sample_test", help="names in conf/benchmark, with commas between"
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
    protocol = _protocol(parsed.protocol)
    scores: list[_Score] = []
    for name, registry in _benchmarks(parsed.benchmark, parsed.scale).items():
        pack = _prepared(name, registry)
        scores += _measure(name, pack, parsed, protocol)
    if parsed.csv:
        writer = csv.DictWriter(sys.stdout, list(asdict(scores[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(score) for score in scores)
    elif parsed.json:
        print(json.dumps([asdict(score) for score in scores], indent=2))
    else:
        _print(scores, parsed.methods, protocol)


@dataclass(frozen=True)
class _Score:
    """One method on one picture."""

    benchmark: str
    image: str
    method: str
    psnr: float
    ssim: float
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


def _benchmarks(names: str, scale: int) -> dict[str, Path]:
    """The registries of benchmarks by name, as conf/benchmark has them."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    from drnsr.config import CONF, ConfigError, one_line

    registries = {}
    for name in names.split(","):
        try:
            with initialize_config_dir(str(CONF), version_base="1.3"):
                config = compose("config", overrides=[f"benchmark={name}", f"scale={scale}"])
        except HydraException as error:
            raise ConfigError(one_line(error)) from error
        for benchmark, content in config.benchmark.items():
            registries[str(benchmark)] = CONF.parent / content.registry
    return registries


def _prepared(name: str, registry: Path) -> "Pack":
    """The pack of a benchmark; fetched and made when it is not there yet."""
    from drnsr.data.packing import Pack
    from drnsr.data.preparation import pack_benchmark
    from drnsr.data.registry import fetch_registry

    folder = _DATA / "evaluate" / registry.stem
    if not (folder / "pack" / "index.json").is_file():
        mirror = os.environ.get("DRNSR_MIRROR") or None
        fetch_registry(registry, _DATA / "downloads", folder / "raw", mirror=mirror)
        pictures = sorted((folder / "raw").iterdir())
        pack_benchmark(pictures, folder / "pack", name=name)
    return Pack.open(folder / "pack")


def _methods(pack: "Pack", parsed: argparse.Namespace, protocol: "Protocol") -> "list[Method]":
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
            methods.append(model_method(_model_file(name), parsed.scale, name))
    return methods


def _model_file(name: str) -> Path:
    if not name.startswith(("models:/", "runs:/")):
        return Path(name)
    import mlflow

    from drnsr.tracking.store import TrackingError, open_store, tracking_errors

    with tracking_errors():
        open_store()
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=name))
    files = sorted(folder.glob("artifacts/*.safetensors"))
    if not files:
        raise TrackingError(f"{name}: this MLflow model was not logged by drnsr")
    return files[0]


def _measure(
    name: str, pack: "Pack", parsed: argparse.Namespace, protocol: "Protocol"
) -> list[_Score]:
    from rich.console import Console
    from rich.progress import track

    from drnsr.evaluation.benchmark import measure

    methods = _methods(pack, parsed, protocol)
    measured = measure(pack, methods, scale=parsed.scale, protocol=protocol)
    shown = track(
        measured, f"measuring {name}", total=len(pack.images), console=Console(stderr=True)
    )
    return [
        _Score(
            *(name, picture.name, method, result.score.psnr, result.score.ssim, picture.pixels),
            *(parsed.scale, protocol.name),
        )
        for picture in shown
        for method, result in picture.results.items()
    ]


def _print(scores: list[_Score], names: list[str], protocol: "Protocol") -> None:
    from rich.console import Console
    from rich.table import Table

    benchmarks = list(dict.fromkeys(score.benchmark for score in scores))
    table = Table(title=f"PSNR in dB / SSIM at scale {scores[0].scale}, protocol {protocol.name}")
    table.add_column("method", overflow="fold")
    for benchmark in benchmarks:
        table.add_column(benchmark, justify="right", no_wrap=True)
    for name in names:
        cells = (_mean(_of(scores, benchmark, name), protocol) for benchmark in benchmarks)
        table.add_row(name, *cells)
    console = Console()
    console.print(table)
    for benchmark in benchmarks:
        for name in names[1:]:
            line = _compared(_of(scores, benchmark, names[0]), _of(scores, benchmark, name))
            console.print(line, highlight=False)
    console.print(f"{protocol.name}: {protocol.description}", highlight=False)


def _of(scores: list[_Score], benchmark: str, method: str) -> list[_Score]:
    return [score for score in scores if (score.benchmark, score.method) == (benchmark, method)]


def _mean(scores: list[_Score], protocol: "Protocol") -> str:
    from drnsr.evaluation.benchmark import Score, mean_score

    pairs = [Score(score.psnr, score.ssim) for score in scores]
    mean = mean_score(pairs, [score.pixels for score in scores], protocol)
    return f"{mean.psnr:.3f} / {mean.ssim:.4f}"


def _compared(first: list[_Score], second: list[_Score]) -> str:
    from drnsr.evaluation.statistics import paired_difference

    found = paired_difference([score.psnr for score in first], [score.psnr for score in second])
    return (
        f"{second[0].benchmark}: {second[0].method} is {found.mean:+.3f} dB from"
        f" {first[0].method} (95 % interval {found.low:+.3f} to {found.high:+.3f}):"
        f" {found.sentence}"
    )
