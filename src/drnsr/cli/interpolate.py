"""Interpolate between the weights of two models of one architecture.

Between a model trained with a pixel loss (A) and one fine-tuned from it as a GAN (B), ALPHA trades
fidelity for texture (Wang et al. 2018, section 3.4).
"""

import argparse
from pathlib import Path

from drnsr.errors import printable
from drnsr.hashing import file_sha256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("first", type=Path, metavar="A", help="a model file")
    parser.add_argument(
        "second", type=Path, metavar="B", help="another model file of the same architecture"
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="the model file to write")
    parser.add_argument(
        "--alpha", type=float, required=True, help="the weight of B, from 0 (only A) to 1 (only B)"
    )


def run(parsed: argparse.Namespace) -> None:
    """Write the interpolated model.

    Raises:
        UserError: if the two are different networks, or ALPHA is outside of 0..1.
    """
    from drnsr.weights.interpolation import interpolate
    from drnsr.weights.loading import load_network
    from drnsr.weights.native import Origin, inherited_licences, read_origin, save_model

    files = (parsed.first, parsed.second)
    between = interpolate(load_network(parsed.first), load_network(parsed.second), parsed.alpha)
    first, second = (f"{file.name} (sha256 {file_sha256(file)})" for file in files)
    mixed = f"interpolated between {first} and {second}, alpha {parsed.alpha:g}"
    licences = inherited_licences({}, {file.name: read_origin(file) for file in files})
    save_model(parsed.out, between, Origin(made_from=mixed, licences=licences))
    print(printable(f"{parsed.out}: {mixed}"))
