"""Convert a checkpoint of another program into a model file.

Layout, architecture, scale and hyper-parameters are found in the file. What it cannot say is that
of the published model, unless it is given.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drnsr.networks import HyperParameter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "source", type=Path, metavar="IN", help="a .pth, .pt, .ckpt or .safetensors"
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="the .safetensors that is written")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a hyper-parameter that the file does not say, such as residual_scale=0.1",
    )


def run(parsed: argparse.Namespace) -> None:
    """Write the model file."""
    from drnsr.errors import UserError
    from drnsr.hashing import file_sha256
    from drnsr.weights.loading import load_foreign
    from drnsr.weights.native import Origin, is_native, save_model

    if parsed.out.suffix != ".safetensors":
        raise UserError(f"{parsed.out}: call it .safetensors, which is what it becomes")
    if is_native(parsed.source):
        raise UserError(f"{parsed.source}: is a model file of drnsr already")
    foreign = load_foreign(parsed.source, dict(map(_value, parsed.set)))
    source = f"{parsed.source.name} (sha256 {file_sha256(parsed.source)})"
    made_from = f"converted from {source}, {foreign.description}"
    save_model(parsed.out, foreign.network, Origin(made_from=made_from))
    print(f"{parsed.out}: {foreign.description}", file=sys.stderr)


def _value(text: str) -> "tuple[str, HyperParameter]":
    """``KEY=VALUE``, the value as in JSON; what is no JSON is a word."""
    from drnsr.errors import UserError

    key, separator, value = text.partition("=")
    if not separator:
        raise UserError(f"--set: {text!r} is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
