"""Push a model to the Hugging Face Hub, with a card.

The repository is made if it does not exist. It gets the model file and a README.md with the
licence, the results and where the model comes from. `--model hf://USER/NAME` then names it.
"""

import argparse

from drnsr.errors import UserError, printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a shipped model such as drnsr-x2, a model file, an MLflow URI, hf://USER/NAME",
    )
    parser.add_argument("target", metavar="hf://USER/NAME", help="the repository")
    parser.add_argument(
        "--private", action="store_true", help="make the repository private, if it is made"
    )


def run(parsed: argparse.Namespace) -> None:
    """Upload the model and its card, and print the commit.

    Raises:
        UserError: if it is not a model file of drnsr, or the Hub refuses it.
    """
    from drnsr.cli.models import model_file
    from drnsr.reporting.hub_card import hub_card
    from drnsr.weights.hub import HubModel, upload_model
    from drnsr.weights.native import is_native

    HubModel.parse(parsed.target)
    file = model_file(parsed.model)
    if not is_native(file):
        raise UserError(f"{file}: not a model file of drnsr; `drnsr convert` makes one")
    card = hub_card(file, parsed.target)
    commit = upload_model(parsed.target, file, card, private=parsed.private)
    print(printable(f"{parsed.target}@{commit}"))
