"""Check the installation, the machine and the project here, and say what to do.

The exit code is 0 if all is well, and 1 if something is broken.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from drnsr.errors import printable
from drnsr.project import is_project, project_root

if TYPE_CHECKING:
    from drnsr.doctor.finding import Check

_ENDINGS = {"note": "to know", "error": "broken"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments: the project is the current folder."""


def run(parsed: argparse.Namespace) -> None:
    """Print a line for each finding, and one below it with what to do.

    Raises:
        SystemExit: if something is broken.
    """
    from rich.console import Console
    from rich.text import Text

    from drnsr.doctor.finding import run_checks

    console, counts = Console(), {"ok": 0, "note": 0, "error": 0}
    styles = {"ok": "green", "note": "yellow", "error": "bold red"}
    for found in run_checks(_checks()):
        counts[found.level] += 1
        label = Text(f"{found.level:<6}", styles[found.level])
        console.print(label, Text(printable(f"{found.about:<12} {found.text}")), soft_wrap=True)
        if found.advice:
            console.print(Text(printable(f"{'':<19} do: {found.advice}")), soft_wrap=True)
    parts = [f"{counts[level]} {ending}" for level, ending in _ENDINGS.items() if counts[level]]
    console.print(", ".join(parts) or "all is well", highlight=False)
    if counts["error"]:
        sys.exit(1)


def _checks() -> "list[tuple[str, Check]]":
    from drnsr.doctor import graph, installation, machine, store

    checks: list[tuple[str, Check]] = [
        ("Python", installation.check_python),
        ("packages", installation.check_packages),
        ("devices", machine.check_devices),
        ("disk", machine.check_disk),
    ]
    if not is_project(project_root()):
        return checks
    return [
        *checks,
        ("training", installation.check_training_packages),
        ("pinned set", installation.check_pins),
        ("git", graph.check_git),
        ("DVC", graph.check_dvc),
        ("mirror", graph.check_mirror),
        ("MLflow", store.check_store),
        ("outbox", store.check_outboxes),
    ]
