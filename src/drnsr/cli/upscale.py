"""Upscale images: files, folders and patterns, each into a file of its own.

Depth, channels, colour profile and resolution are kept. What is in the output folder already is not
made again, so that the same command goes on where it was interrupted. Each picture says which model
made it: `drnsr info PICTURE`.
"""

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from drnsr.errors import UserError, printable

if TYPE_CHECKING:
    from drnsr.inference.tiling import TileSize
    from drnsr.upscale.files import UpscaleSpec
    from drnsr.upscale.jobs import Job
    from drnsr.upscale.models import Models, OutputSize


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="a picture, a folder with all below it, a pattern"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the pictures")
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="drnsr-x2, -x3 or -x4, a model file, another program's checkpoint, an MLflow URI,"
        " an .onnx that `drnsr export` wrote (default: the shipped model of the scale)",
    )
    how_large = parser.add_mutually_exclusive_group()
    how_large.add_argument("--scale", type=int, help="so many times (default: 2, or the model's)")
    how_large.add_argument(
        "--factor", type=_factor, help="any number of times: by the next larger scale, then shrunk"
    )
    how_large.add_argument(
        "--size", type=_size, metavar="WxH", help="to so many pixels; of Wx or xH the shape decides"
    )
    parser.add_argument(
        "--format", type=_format, metavar="NAME", help="such as png (default: as it was)"
    )
    parser.add_argument("--suffix", help="of the new names (default: such as _x2)")
    parser.add_argument(
        "--tile", type=_tile, default="auto", help="side in pixels, auto, or off for no tiles"
    )
    parser.add_argument(
        "--ensemble", action="store_true", help="the mean over eight symmetries: 8 times the work"
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")
    parser.add_argument(
        "--precision",
        choices=("fp32", "bf16", "fp16"),
        help="of the computation (default: fp32, or that of the .onnx)",
    )
    parser.add_argument(
        "--backend",
        choices=("torch", "onnxruntime", "fastest"),
        help="what runs the model; fastest tries those that are installed on a small tile"
        " (default: torch, or onnxruntime for an .onnx)",
    )
    parser.add_argument(
        "--range",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="what is black and white (default: of 8 bits by the type, of others what they have)",
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="beside each a picture that sets it beside bicubic; of several, a page index.html",
    )
    parser.add_argument("--overwrite", action="store_true", help="make again what is there")
    parser.add_argument("--dry-run", action="store_true", help="say what would be made")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="with the traceback of what went wrong"
    )


def run(parsed: argparse.Namespace) -> None:
    """Enlarge each; those that cannot be are told at the end.

    Raises:
        UserError: a path or the model cannot be used, or some pictures could not be upscaled.
    """
    from drnsr.atomic import check_writable
    from drnsr.inference.allocator import keep_freed_memory
    from drnsr.reporting.contact_sheet import ComparisonWriter
    from drnsr.upscale.batch import upscale_all
    from drnsr.upscale.files import UpscaleSpec
    from drnsr.upscale.jobs import plan

    if parsed.verbose:
        logging.getLogger("drnsr").setLevel(logging.DEBUG)
    keep_freed_memory()
    output_size, models = _models(parsed)
    spec = UpscaleSpec(models, output_size, tuple(parsed.range) if parsed.range else None)
    suffix = output_size.suffix if parsed.suffix is None else parsed.suffix
    planned = plan(parsed.paths, parsed.out, suffix, parsed.format, overwrite=parsed.overwrite)
    for note in planned.notes:
        print(printable(note), file=sys.stderr)
    jobs = planned.jobs
    if parsed.dry_run:
        _tell_plan(jobs, spec)
        return
    comparisons = ComparisonWriter(jobs, spec, parsed.out) if parsed.compare else None
    check_writable(parsed.out)
    upscale_all(jobs, spec, parsed.out, comparisons)


def _models(parsed: argparse.Namespace) -> "tuple[OutputSize, Models]":
    """The models that were chosen, and how large pictures become."""
    from drnsr.cli.models import model_file
    from drnsr.inference.engine import ScaleError
    from drnsr.upscale.models import Models, OutputSize, RuntimeOptions

    options = RuntimeOptions(
        device=parsed.device,
        precision=parsed.precision,
        tile=parsed.tile,
        ensemble=parsed.ensemble,
        backend=parsed.backend,
    )
    models = Models.from_file(model_file(parsed.model), options) if parsed.model else None
    models = models or Models.shipped(options)
    scale = parsed.scale
    if scale is None and parsed.factor is None and parsed.size is None:
        scale = models.only_scale() if parsed.model else 2
        if scale is None:
            served = " or ".join(f"x{each}" for each in models.scales)
            raise UserError(f"{parsed.model}: choose a --scale: {served}")
    if scale is not None:
        try:
            models.at(scale).tiling  # noqa: B018 (loads the model, before any picture is opened)
        except ScaleError as error:
            raise UserError(f"--scale {scale}: {error}") from error
    return OutputSize(scale, parsed.factor, parsed.size), models


def _tell_plan(jobs: "list[Job]", spec: "UpscaleSpec") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from drnsr.upscale.batch import error_line
    from drnsr.upscale.files import describe

    table = Table(title="What would be made")
    for heading in ("picture", "pixels", "becomes", "pixels", "by"):
        table.add_column(heading, overflow="fold")
    for job in jobs:
        try:
            if job.problem:
                raise UserError(job.problem)
            before, after, model = describe(job.source, spec)
        except Exception as error:  # of any type, as when it is made
            told = error_line(error, job.source).removeprefix(f"{job.source}: ")
            before, after, model = "", told, ""
        there = " (there already)" if job.is_done else ""
        row = (str(job.source), before, f"{job.target}{there}", after, model)
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console().print(table)


def _format(text: str) -> str:
    from drnsr.images.codecs import writable

    if text not in writable():
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(writable())}")
    return text


def _factor(text: str) -> float:
    factor = float(text)
    if not 1 < factor < float("inf"):
        raise ValueError
    return factor


def _size(text: str) -> tuple[int | None, int | None]:
    width, _, height = text.partition("x")
    size = (int(width) if width else None), (int(height) if height else None)
    if size == (None, None) or min(side for side in size if side is not None) < 1:
        raise ValueError
    return size


def _tile(text: str) -> "TileSize":
    from drnsr.inference.tiling import MIN_TILE

    if text == "auto" or text == "off":
        return text  # type: ignore[return-value]
    if int(text) < MIN_TILE:
        raise argparse.ArgumentTypeError(f"{text}: {MIN_TILE} is the smallest")
    return int(text)


# What argparse calls a value that these refuse.
_factor.__name__, _size.__name__, _tile.__name__ = "factor above 1", "size", "tile"
