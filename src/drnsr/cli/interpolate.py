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
    parser.add_argument(
        "first", metavar="A", help="a shipped model, a model file, an MLflow URI, hf://USER/NAME"
    )
    parser.add_argument("second", metavar="B", help="another one of the same architecture")
    parser.add_argument("out", type=Path, metavar="OUT", help="the .safetensors to write")
    parser.add_argument(
        "--alpha", type=float, required=True, help="the weight of B, from 0 (only A) to 1 (only B)"
    )


def run(parsed: argparse.Namespace) -> None:
    """Write the interpolated model.

    Raises:
        UserError: if the two are different networks, or ALPHA is outside of 0..1, or OUT is no
            name of a model file.
    """
    from drnsr.cli.models import check_model_name, model_file, short_name
    from drnsr.weights.interpolation import interpolate
    from drnsr.weights.loading import load_network
    from drnsr.weights.native import Origin, inherited_licences, read_origin, save_model

    check_model_name(parsed.out)
    names = [short_name(each) for each in (parsed.first, parsed.second)]
    files = [model_file(each) for each in (parsed.first, parsed.second)]
    start, end = map(load_network, files)
    between = interpolate(start, end, parsed.alpha)
    named = list(zip(names, files, strict=True))
    first, second = (f"{name} (sha256 {file_sha256(file)})" for name, file in named)
    mixed = f"interpolated between {first} and {second}, alpha {parsed.alpha:g}"
    licences = inherited_licences({}, {name: read_origin(file) for name, file in named})
    save_model(parsed.out, between, Origin(made_from=mixed, licences=licences))
    print(printable(f"{parsed.out}: {mixed}"))
