"""Convert a checkpoint of another program into a model file.

Layout, architecture, scale and hyper-parameters are found in the file. A hyper-parameter that is
not in the file has the value of the published model, unless --set gives another.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from drnsr.errors import UserError, printable
from drnsr.hashing import file_sha256

if TYPE_CHECKING:
    from drnsr.networks import HyperParameter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("source", metavar="IN", help="a .pth, .pt, .ckpt or .safetensors")
    parser.add_argument("out", type=Path, metavar="OUT", help="the .safetensors to write")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a hyper-parameter that is not in the file, such as residual_scale=0.1",
    )


def run(parsed: argparse.Namespace) -> None:
    """Write the model file.

    Raises:
        UserError: if the checkpoint is not recognized, or a name is wrong.
    """
    from drnsr.cli.models import check_model_name, model_file
    from drnsr.weights.loading import load_foreign
    from drnsr.weights.native import Origin, is_native, save_model

    check_model_name(parsed.out)
    checkpoint = model_file(parsed.source)
    if is_native(checkpoint):
        raise UserError(f"{parsed.source}: this is a model file of drnsr already")
    foreign = load_foreign(checkpoint, dict(map(_parse_setting, parsed.set)))
    source = f"{checkpoint.name} (sha256 {file_sha256(checkpoint)})"
    made_from = f"converted from {source}, {foreign.description}"
    save_model(parsed.out, foreign.network, Origin(made_from=made_from))
    print(printable(f"{parsed.out}: {foreign.description}"), file=sys.stderr)


def _parse_setting(text: str) -> "tuple[str, HyperParameter]":
    """Parse ``KEY=VALUE``; the value is JSON, or else a string."""
    key, separator, value = text.partition("=")
    if not separator:
        raise UserError(f"--set: {text!r} is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
