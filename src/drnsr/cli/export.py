"""Export a model for other programs: as ONNX, or for torch.export.load.

The file takes pictures of any size, and is compared with torch before it is put in place. What is
needed to run it stands in it: under "drnsr" in ONNX's metadata, as "drnsr.json" in a .pt2.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="drnsr-x2, -x3 or -x4, a model file, another program's checkpoint, an MLflow URI",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="the .onnx or .pt2 that is written")
    parser.add_argument("--scale", type=int, help="where the model has several")
    parser.add_argument(
        "--fp16",
        action="store_true",
        help="of ONNX: weights and computation in fp16; pixels are fp32 still",
    )
    parser.add_argument("--opset", type=int, help="of ONNX: version of its operators (default: 17)")


def run(parsed: argparse.Namespace) -> None:
    """Write the file, and tell how near it comes to torch.

    Raises:
        UserError: the model cannot be exported so; nothing is written then.
    """
    from drnsr.cli.models import model_file
    from drnsr.errors import UserError
    from drnsr.inference.engine import ScaleError, resolve_scale
    from drnsr.inference.export import OPSET, OPSETS, export_onnx, export_program
    from drnsr.inference.export_info import make_export_info
    from drnsr.weights.loading import load_network

    if parsed.out.suffix not in (".onnx", ".pt2"):
        raise UserError(f"{parsed.out}: call it .onnx or .pt2, which says what it becomes")
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
    told = f"differs from torch by {difference:.0e} of the range at most"
    print(f"{parsed.out}: {info.architecture} x{scale}, {kind}; {told}")
