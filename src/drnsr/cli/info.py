"""Show what a model file, a checkpoint or an upscaled image is and where it came from."""

import argparse
from pathlib import Path

from drnsr.errors import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "file",
        metavar="FILE",
        help="the name of a shipped model, a model file, a checkpoint, an .onnx that"
        " `drnsr export` wrote, an image or video, an MLflow URI, or hf://USER/NAME",
    )
    parser.add_argument(
        "--credits",
        action="store_true",
        help="only the authors, sources and licences of the pictures that a model was trained on",
    )


def run(parsed: argparse.Namespace) -> None:
    """Print what is known, one line for each fact."""
    from drnsr.cli.models import model_file
    from drnsr.reporting.file_info import describe_credits, describe_file

    named = Path(parsed.file)
    file = named if named.is_dir() else model_file(parsed.file)  # the folder of a DICOM series
    if parsed.credits:
        for licence, number in describe_credits(file).items():
            pictures = "1 picture" if number == 1 else f"{number or 'unknown number of'} pictures"
            print(printable(f"{pictures}: {licence}"))
        return
    for name, value in describe_file(file).items():
        print(printable(f"{name + ':':18} {value}"))
