"""Make a project in a new folder: the graph, its configuration, and a git repository.

`dvc repro` there trains and compares a network, as in a clone of drnsr's own repository; the code
is that of the installed package.
"""

import argparse
from pathlib import Path

from drnsr.errors import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="new, or empty")


def run(parsed: argparse.Namespace) -> None:
    """Make the project, and say what comes next.

    Raises:
        UserError: if the folder is not empty.
        OSError: if it cannot be written.
    """
    from drnsr.new_project.create import create_project

    committed = create_project(parsed.folder)
    print(printable(f"{parsed.folder}: a new project. Next:"))
    print(printable(f"  cd {parsed.folder}"))
    if not committed:
        print("  git init && git add --all && git commit -m 'The files of drnsr'")
    print("  dvc repro && drnsr show")
    print("params.yaml there has the choices, and README.md says more")
