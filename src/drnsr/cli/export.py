"""Export a model for other programs: as ONNX, or for torch.export.load.

The file takes images of any size, and its output is compared with torch's before it is written. It
holds what is needed to run it: under "drnsr" in ONNX's metadata, as "drnsr.json" in a .pt2.
"""

import argparse
from pathlib import Path

from drnsr.errors import UserError, printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="the name of a shipped model such as drnsr-x2 or drnsr-x2-photo, a model file, a"
        " checkpoint of another program, an MLflow URI, hf://USER/NAME",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="the .onnx or .pt2 to write")
    parser.add_argument("--scale", type=int, help="the scale factor, if the model has several")
    parser.add_argument(
        "--fp16",
        action="store_true",
        help="for ONNX: weights and computation in fp16; the pixels stay fp32",
    )
    parser.add_argument(
        "--opset", type=int, help="for ONNX: the version of its operators (default: 17)"
    )


def run(parsed: argparse.Namespace) -> None:
    """Write the file, and print the difference from torch.

    Raises:
        UserError: if the model cannot be exported so; nothing is written then.
    """
    from drnsr.cli.models import model_file
    from drnsr.inference.engine import ScaleError, resolve_scale
    from drnsr.inference.export import OPSET, OPSETS, export_onnx, export_program
    from drnsr.inference.export_info import make_export_info
    from drnsr.weights.loading import load_network

    if parsed.out.suffix not in (".onnx", ".pt2"):
        raise UserError(f"{parsed.out}: the name of the file must end with .onnx or .pt2")
    if parsed.out.suffix == ".pt2" and (parsed.fp16 or parsed.opset is not None):
        raise UserError(f"{parsed.out}: --fp16 and --opset are for .onnx")
    opset = OPSET if parsed.opset is None else parsed.opset
    if opset not in OPSETS:
        raise UserError(f"--opset {opset}: there are {OPSETS.start} to {OPSETS.stop - 1}")
    file = model_file(parsed.model)
    network = load_network(file)
    try:
        scale = resolve_scale(network, parsed.scale)
    except ScaleError as error:
        raise UserError(f"{parsed.model}: {error} (--scale)") from error
    info = make_export_info(network, scale, "fp16" if parsed.fp16 else "fp32", file)
    if parsed.out.suffix == ".onnx":
        difference = export_onnx(network, info, parsed.out, opset)
        kind = f"opset {opset}, {info.precision}"
    else:
        difference = export_program(network, info, parsed.out)
        kind = f"torch.export, {info.precision}"
    accuracy = f"differs from torch by at most {difference:.0e} of the range"
    print(printable(f"{parsed.out}: {info.architecture} x{scale}, {kind}; {accuracy}"))
