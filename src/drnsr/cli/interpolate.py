"""Interpolate between the weights of two models of one architecture.

Between a model trained on pixels (A) and one trained on from it against a discriminator (B), ALPHA
trades fidelity for texture.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("first", type=Path, metavar="A", help="a model file")
    parser.add_argument("second", type=Path, metavar="B", help="another one")
    parser.add_argument("out", type=Path, metavar="OUT", help="the model file that is written")
    parser.add_argument(
        "--alpha", type=float, required=True, help="how much of B, from 0 (only A) to 1 (only B)"
    )


def run(parsed: argparse.Namespace) -> None:
    """Write the model in between."""
    from drnsr.hashing import file_sha256
    from drnsr.weights.interpolation import interpolate
    from drnsr.weights.loading import load_network
    from drnsr.weights.native import Origin, save_model

    files = (parsed.first, parsed.second)
    between = interpolate(load_network(parsed.first), load_network(parsed.second), parsed.alpha)
    first, second = (f"{file.name} (sha256 {file_sha256(file)})" for file in files)
    mixed = f"interpolated between {first} and {second}, alpha {parsed.alpha:g}"
    save_model(parsed.out, between, Origin(made_from=mixed))
    print(f"{parsed.out}: {mixed}")
