"""Print the results of the last `dvc repro`, and where to look further."""

import argparse
from pathlib import Path

from rich.console import Console

from drnsr.errors import UserError, printable
from drnsr.project import PER_IMAGE, REPORT, RESOLVED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments: the project is the current folder."""


def run(parsed: argparse.Namespace) -> None:
    """Print the table of all test images and their mean.

    Raises:
        UserError: if nothing has been run here.
    """
    from drnsr.config.compose import read_resolved
    from drnsr.evaluation.protocol import get_protocol
    from drnsr.evaluation.results import read_rows
    from drnsr.reporting.table import result_table
    from drnsr.tracking.store import tracking_uri

    if not RESOLVED.is_file():
        raise UserError(f"{RESOLVED}: nothing has been run here; run `make repro` first")
    config = read_resolved(RESOLVED)
    root = Path(config.run.output)
    if not (root / PER_IMAGE).is_file():
        raise UserError(f"{root / PER_IMAGE}: no results yet; run `make repro` first")
    console = Console()
    console.print(
        result_table(
            read_rows(root / PER_IMAGE),
            model=config.model.name,
            scale=config.scale,
            protocol=get_protocol(config.protocol),
        )
    )
    console.print(f"report     {(root / REPORT).resolve()}", soft_wrap=True, highlight=False)
    console.print(
        f"MLflow     make ui   ({printable(tracking_uri())})", soft_wrap=True, highlight=False
    )
