"""Show what a file of weights is: ours, or another program's."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drnsr.networks import Network


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a model file or a checkpoint")


def run(parsed: argparse.Namespace) -> None:
    """Print it, a line for each thing known."""
    from drnsr.hashing import file_sha256

    for name, value in (_of(parsed.file) | {"sha256": file_sha256(parsed.file)}).items():
        print(f"{name + ':':18} {value}")


def _of(file: Path) -> dict[str, object]:
    from drnsr.checkpoints.loading import load_foreign
    from drnsr.checkpoints.native import is_native, load_model, read_info

    if not is_native(file):
        foreign = load_foreign(file)
        known = {"layout": foreign.layout, **_of_network(foreign.network)}
        if foreign.assumed:
            names = ", ".join(foreign.assumed)
            known["not in the file"] = f"{names} (as published; `drnsr convert --set` gives others)"
        return known
    origin = read_info(file).origin
    made = {
        "made from": origin.made_from,
        "configuration": origin.config,
        "training data": origin.data,
        "training code": origin.code,
    }
    return {
        "layout": "drnsr",
        **_of_network(load_model(file)),
        **{name: value for name, value in made.items() if value},
    }


def _of_network(network: "Network") -> dict[str, object]:
    descriptor = network.descriptor
    reach = descriptor.receptive_field
    return {
        "architecture": type(network).__name__,
        "parameters": f"{sum(parameter.numel() for parameter in network.parameters()):,}",
        "scales": ", ".join(f"x{scale}" for scale in descriptor.scales),
        "colour": descriptor.colour,
        "receptive field": reach if reach == "global" else f"{reach} LR pixels to each side",
        "hyper-parameters": ", ".join(
            f"{name}: {value}" for name, value in network.hyper_parameters.items()
        ),
    }
