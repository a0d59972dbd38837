"""Ship the model of the last `dvc repro` with the package, and write its card."""

import argparse
from pathlib import Path

from drnsr.errors import UserError
from drnsr.project import BENCHMARKS, PREPARED, REPOSITORY, RESOLVED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="such as drnsr-x2 or drnsr-x2-photo (default: by the scale and the degradation of the"
        " run)",
    )


def run(parsed: argparse.Namespace) -> None:
    """Copy the model and write the card beside it.

    Raises:
        UserError: if nothing has been run here, or the model cannot be released, or this is an
            installed drnsr without its repository.
    """
    from drnsr.config.compose import read_resolved
    from drnsr.config.schema import recipe
    from drnsr.reporting.release import release_model

    if REPOSITORY is None:
        raise UserError(
            "a model ships with drnsr's sources: call `drnsr release` in a clone of its repository"
        )
    if not RESOLVED.is_file():
        raise UserError(f"{RESOLVED}: nothing has been run here; run `dvc repro` first")
    config = read_resolved(RESOLVED)
    content = config.model_dump()
    released = release_model(
        Path(config.run.output),
        Path(config.run.data) / PREPARED / BENCHMARKS,
        content,
        recipe(content),
        parsed.name,
    )
    print(f"{released} and its card")
