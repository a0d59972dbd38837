"""Remove the states of trainings that are over: ``make gc``. It shows them first."""

import shutil
import sys
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from drnsr.errors import exit_on_error
from drnsr.locks import BusyError, sole_process
from drnsr.project import runs
from drnsr.tracking.outbox import outboxes_of
from drnsr.training.callbacks.checkpoint import is_finished, newest_step


@dataclass(frozen=True)
class RunFolder:
    """A folder of states.

    Attributes:
        path: of the folder.
        size: in bytes.
        training: how far it is, in words.
        removable: whether it goes.
    """

    path: Path
    size: int
    training: str
    removable: bool


def collect(*, unfinished: bool, yes: bool) -> None:
    """Show what is there and what becomes of it; remove that when a person agrees.

    Args:
        unfinished: also what a training could go on from.
        yes: agreed already.
    """
    console = Console()
    folders = [_look(path, unfinished) for path in sorted(runs().glob("*")) if path.is_dir()]
    table = Table("folder", "size", "training", "")
    for folder in folders:
        fate = "goes" if folder.removable else "stays"
        table.add_row(folder.path.name, decimal(folder.size), folder.training, fate)
    console.print(table if folders else f"no states of trainings in {runs()}")
    removable = [folder for folder in folders if folder.removable]
    if not removable:
        return
    freed = decimal(sum(folder.size for folder in removable))
    if not (yes or _agreed(f"remove {len(removable)} of {len(folders)} folders, {freed}? [y/N] ")):
        console.print("nothing was removed (`make gc YES=1` does it unasked)")
        return
    for folder in removable:
        with sole_process(folder.path):  # it may have been taken up again meanwhile
            shutil.rmtree(folder.path)
    console.print(f"removed {freed}")


def _look(path: Path, unfinished: bool) -> RunFolder:
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    try:
        with sole_process(path):
            over = is_finished(path)
            training = "over" if over else f"ended after step {newest_step(path)}"
            if any(outbox.undelivered for outbox in outboxes_of(path)):
                told = f"{training}, and MLflow misses something: `drnsr sync`"
                return RunFolder(path, size, told, removable=False)
            return RunFolder(path, size, training, removable=over or unfinished)
    except BusyError:
        return RunFolder(path, size, "going on", removable=False)


def _agreed(question: str) -> bool:
    return sys.stdin.isatty() and input(question).strip().lower() in ("y", "yes")


def main() -> None:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument(
        "--unfinished", action="store_true", help="also states that a training could go on from"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    arguments = parser.parse_args()
    collect(unfinished=arguments.unfinished, yes=arguments.yes)


if __name__ == "__main__":
    with exit_on_error():
        main()
