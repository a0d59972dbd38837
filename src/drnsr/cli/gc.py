"""Remove the training states of finished runs, after showing them.

They are only needed to resume a training that has been interrupted, and to extend a finished one.
"""

import argparse

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from drnsr.cli.confirmation import confirmed
from drnsr.errors import printable
from drnsr.project import runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--unfinished",
        action="store_true",
        help="remove also the states from which a training could be resumed",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(parsed: argparse.Namespace) -> None:
    """Print the folders and what happens to each; remove them if the user agrees."""
    from drnsr.tracking.training_states import list_state_folders, remove_state_folder

    console = Console()
    folders = list_state_folders(unfinished=parsed.unfinished)
    table = Table("folder", "size", "training", "")
    for folder in folders:
        action = "remove" if folder.removable else "keep"
        cells = folder.path.name, decimal(folder.size), folder.progress, action
        table.add_row(*(Text(printable(cell)) for cell in cells))
    console.print(table if folders else f"no states of trainings in {runs()}")
    removable = [folder for folder in folders if folder.removable]
    if not removable:
        return
    size = decimal(sum(folder.size for folder in removable))
    question = f"remove {len(removable)} of {len(folders)} folders, {size}? [y/N] "
    if not (parsed.yes or confirmed(question)):
        console.print("nothing was removed (--yes removes without asking; `make gc YES=1`)")
        return
    for folder in removable:
        remove_state_folder(folder)
    console.print(f"removed {size}")
