"""Upscale images and videos: files, folders, patterns; each into a file of its own.

Bit depth, channels, colour profile and resolution are kept, and the sound and times of a video. A
result that exists is not computed again, so that the same call resumes an interrupted one.
`drnsr info FILE` shows which model made an image or a video.
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from drnsr.atomic import check_writable
from drnsr.cli.device_options import add_device_arguments
from drnsr.errors import UserError, printable
from drnsr.video.files import CODEC_NAMES, CONTAINERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drnsr.inference.tiling import TileSize
    from drnsr.upscale.files import UpscaleSpec
    from drnsr.upscale.jobs import Job, Join
    from drnsr.upscale.models import Models, OutputSize
    from drnsr.video.options import ClipOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="an image or video, a folder with all below it, a pattern",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the output folder")
    _add_size_arguments(parser)
    _add_model_arguments(parser)
    _add_result_arguments(parser)
    _add_video_arguments(parser)


def _add_size_arguments(parser: argparse.ArgumentParser) -> None:
    output_size = parser.add_mutually_exclusive_group()
    output_size.add_argument(
        "--scale", type=int, help="the scale factor (default: that of the model, or 2)"
    )
    output_size.add_argument(
        "--factor",
        type=_factor,
        help="any factor above 1: upscaled by the next larger scale, then downscaled",
    )
    output_size.add_argument(
        "--size",
        type=_size,
        metavar="WxH",
        help="the size in pixels; Wx or xH keeps the aspect ratio",
    )


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the model and how it runs")
    group.add_argument(
        "--model",
        metavar="MODEL",
        default="auto",
        help="the name of a shipped model such as drnsr-x2 or drnsr-x2-photo, a model file, a"
        " checkpoint of another program, an MLflow URI, hf://USER/NAME, an .onnx that"
        " `drnsr export` wrote, or auto for the shipped model of the scale (default: %(default)s)",
    )
    group.add_argument(
        "--tile",
        type=_tile,
        default="auto",
        help="the side of the tiles in pixels, auto, or off for none (default: %(default)s)",
    )
    group.add_argument(
        "--ensemble",
        action="store_true",
        help="average over the eight flips and rotations, which takes eight times as long",
    )
    group.add_argument(
        "--consistent",
        action="store_true",
        help="change the result so that shrinking it with MATLAB's bicubic gives the image back;"
        " `drnsr info` shows the remaining deviation",
    )
    add_device_arguments(group)
    group.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16"),
        default="auto",
        help="the precision of the computation; auto takes bf16 or fp16 for images of 8 bits if the"
        " device is faster in it, fp32 for others, and that of an .onnx (default: %(default)s)",
    )
    group.add_argument(
        "--backend",
        choices=("torch", "onnxruntime", "fastest"),
        help="the program that runs the model; fastest tries the installed ones on a small tile"
        " (default: torch, or onnxruntime for an .onnx)",
    )
    group.add_argument(
        "--compile",
        action="store_true",
        help="compile the network, which takes seconds for each size of tile, for long jobs on a"
        " GPU",
    )


def _add_result_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the results")
    group.add_argument(
        "--format",
        type=_format,
        metavar="NAME",
        help="the format of the images, such as png (default: that of the source)",
    )
    group.add_argument(
        "--axes",
        choices=("in-plane", "through-plane", "all"),
        default="in-plane",
        help="enlarge volumes (NIfTI, folders of DICOM slices) slice by slice, along the third"
        " axis alone, or along all three (default: %(default)s)",
    )
    group.add_argument(
        "--suffix", help="the end of the new names (default: by the size, such as _x2)"
    )
    group.add_argument(
        "--range",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="the values of black and white of images (default: from the data type for 8 bits,"
        " else from the image)",
    )
    group.add_argument(
        "--compare",
        action="store_true",
        help="write a comparison with bicubic beside each result; for several images, also a page"
        " index.html",
    )
    group.add_argument(
        "--join",
        metavar="PATTERN",
        help="join files with one band each for a model of several bands, by their names without"
        " suffix, such as {scene}_{band}, with the names of the model's bands",
    )
    group.add_argument(
        "--overviews",
        action="store_true",
        help="add overviews to TIFF: smaller copies, by the mean of 2 x 2 pixels (GDAL's AVERAGE)",
    )
    group.add_argument("--overwrite", action="store_true", help="replace results that exist")
    group.add_argument("--dry-run", action="store_true", help="list what would be written")


def _add_video_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("videos")
    group.add_argument(
        "--codec", choices=CODEC_NAMES, help="the codec of videos (default: that of the source)"
    )
    group.add_argument(
        "--crf",
        type=_crf,
        metavar="N",
        help="the constant rate factor of videos: a lower one gives better quality and a larger"
        " file (default: 18 for h264, 20 for hevc, 24 for av1 and vp9)",
    )
    group.add_argument(
        "--container",
        choices=tuple(CONTAINERS),
        help="the container of videos (default: that of the source, or mkv)",
    )
    group.add_argument(
        "--deinterlace",
        action="store_true",
        help="make interlaced frames progressive, which are refused otherwise",
    )
    group.add_argument(
        "--temporal",
        action="store_true",
        help="average each frame with the three before where the source does not change, against"
        " flicker; what moves is left as it is",
    )


def run(parsed: argparse.Namespace) -> None:
    """Upscale the images and videos; errors are reported at the end.

    Raises:
        UserError: if a path or the model cannot be used, or some images could not be upscaled.
    """
    from drnsr.device import share_devices
    from drnsr.inference.allocator import keep_freed_memory
    from drnsr.reporting.contact_sheet import ComparisonWriter
    from drnsr.upscale.batch import upscale_all
    from drnsr.upscale.dry_run import dry_run_lines
    from drnsr.upscale.jobs import plan
    from drnsr.upscale.quiet import quiet_c_libraries, quiet_libraries
    from drnsr.upscale.suggestion import suggest_model
    from drnsr.upscale.through import SUFFIXES

    keep_freed_memory()
    devices = share_devices(parsed.devices, parsed.device)
    if len(devices) > 1 and parsed.backend == "fastest":
        raise UserError("--devices: the processes could choose other backends: name one")
    spec = _spec(parsed, devices[0])
    if len(devices) == 1:  # else each process loads it
        spec.load()
    suffix = parsed.suffix
    if suffix is None:
        suffix = spec.output_size.suffix + SUFFIXES[parsed.axes]
    with quiet_libraries(), quiet_c_libraries():
        planned = plan(
            parsed.paths,
            parsed.out,
            suffix,
            parsed.format,
            spec.clips,
            _join(parsed, spec.models),
            overwrite=parsed.overwrite,
        )
        for note in planned.notes:
            print(printable(note), file=sys.stderr)
        jobs = planned.jobs
        _check_options(parsed, jobs, spec.clips)
        if parsed.dry_run:
            for line in dry_run_lines(jobs, spec):
                print(line)
            return
        comparisons = ComparisonWriter(jobs, parsed.out) if parsed.compare else None
        if parsed.model == "auto":
            suggest_model(jobs, spec.output_size)
        check_writable(parsed.out)
        upscale_all(jobs, spec, parsed.out, comparisons, devices=devices)


def _spec(parsed: argparse.Namespace, device: str) -> "UpscaleSpec":
    """Return how to upscale.

    Raises:
        UserError: options contradict each other, or the model cannot be used.
    """
    from drnsr.images.backends.gdal import check_overviews
    from drnsr.upscale.files import UpscaleSpec
    from drnsr.video.options import ClipOptions

    if parsed.axes != "in-plane" and (parsed.factor or parsed.size):
        raise UserError(f"--axes {parsed.axes}: takes a --scale, and no --factor or --size")
    if parsed.consistent and (parsed.factor or parsed.size or parsed.axes != "in-plane"):
        raise UserError("--consistent: takes a --scale, and no --factor, --size or --axes")
    if parsed.consistent and parsed.compare:
        raise UserError("--consistent: leave out --compare, which draws what the model alone gives")
    output_size, models = _models(parsed, device)
    value_range = tuple(parsed.range) if parsed.range else None
    clips = ClipOptions(
        parsed.codec, parsed.crf, parsed.container, parsed.deinterlace, parsed.temporal
    )
    if parsed.overviews:
        check_overviews()
    return UpscaleSpec(
        models,
        output_size,
        value_range,
        parsed.axes,
        clips,
        consistent=parsed.consistent,
        overviews=parsed.overviews,
    )


def _join(parsed: argparse.Namespace, models: "Models") -> "Join | None":
    """Return which files are joined.

    Raises:
        UserError: the pattern or the model cannot be used for it.
    """
    from drnsr.images.pixel_format import RGB8
    from drnsr.upscale.jobs import Join

    if parsed.join is None:
        return None
    if "{scene}" not in parsed.join or "{band}" not in parsed.join:
        raise UserError(
            f"--join {parsed.join}: has no {{scene}} or no {{band}}; an example: {{scene}}_{{band}}"
        )
    if models.pixels == RGB8:
        raise UserError("--join: is for a model of several bands; leave it out, or take a --model")
    if parsed.compare:
        raise UserError("--join: leave out --compare, which shows files")
    return Join(parsed.join, models.pixels.bands)


def _check_options(parsed: argparse.Namespace, jobs: "Sequence[Job]", clips: "ClipOptions") -> None:
    """Refuse what would have no effect: options for videos alone, or for images alone.

    Raises:
        UserError: there is such an option, or the container does not hold the codec.
    """
    has_videos = any(job.is_video for job in jobs)
    for name in ("codec", "crf", "container", "deinterlace", "temporal"):
        if getattr(parsed, name) not in (None, False) and not has_videos:
            raise UserError(f"--{name}: is for videos, and there is none among the files")
    for name in ("format", "range", "overviews"):
        if getattr(parsed, name) not in (None, False) and all(job.is_video for job in jobs):
            advice = ": take --container" if name == "format" else ""
            raise UserError(f"--{name}: is for images, and there are videos alone{advice}")
    if has_videos and find_spec("av") is not None:
        from drnsr.video.codecs import check_options

        check_options(clips)


def _models(parsed: argparse.Namespace, device: str) -> "tuple[OutputSize, Models]":
    """Return the size of the results and the models that give it."""
    from drnsr.cli.models import model_file
    from drnsr.inference.engine import ScaleError
    from drnsr.upscale.models import Models, OutputSize, RuntimeOptions

    options = RuntimeOptions(
        device=device,
        precision=parsed.precision,
        tile=parsed.tile,
        ensemble=parsed.ensemble,
        backend=parsed.backend,
        compile=parsed.compile,
    )
    is_auto = parsed.model == "auto"
    models = (
        Models.shipped(options) if is_auto else Models.from_file(model_file(parsed.model), options)
    )
    scale = parsed.scale
    if scale is None and parsed.factor is None and parsed.size is None:
        scale = 2 if is_auto else models.only_scale()
        if scale is None:
            served = " or ".join(f"x{each}" for each in models.scales)
            raise UserError(f"{parsed.model}: choose a --scale: {served}")
    if scale is not None:
        try:
            models.at(scale)
        except ScaleError as error:
            raise UserError(f"--scale {scale}: {error}") from error
    return OutputSize(scale, parsed.factor, parsed.size), models


def _format(text: str) -> str:
    from drnsr.images.codecs import codec_of_suffix, writable

    codec = codec_of_suffix(f".{text}")  # jpg stands for jpeg
    name = text if codec is None else codec.name
    if name not in writable():
        choices = ", ".join(writable())
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written; choose {choices}")
    return name


def _factor(text: str) -> float:
    factor = float(text)
    if not 1 < factor < float("inf"):
        raise ValueError
    return factor


def _crf(text: str) -> int:
    if int(text) < 0:
        raise ValueError
    return int(text)


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


# argparse names a value that these refuse by the name of the function.
_factor.__name__, _size.__name__, _tile.__name__ = "factor above 1", "size", "tile"
_crf.__name__ = "rate factor of 0 or more"
