"""What the benchmarks share: measuring in turn, arguments, and the table of results."""

import argparse
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from drnsr.data.registry import fetch_registry
from drnsr.project import run_folder
from drnsr.weights.native import read_info

ROOT = Path(__file__).resolve().parents[1]


def fetched(name: str, mirror: str | None, folder: Path) -> list[Path]:
    """Fetch a registry, and return its images; for pairs the originals."""
    place = folder / name
    registry = ROOT / "conf" / "registry" / f"{name}.txt"
    fetch_registry(registry, ROOT / "data" / "downloads", place, mirror=mirror)
    return sorted(place.glob("*_HR.png")) or sorted(place.iterdir())


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the seconds of the fastest call of each way.

    The ways are called in turn, ``rounds`` times, so that other work on the machine affects all of
    them; one call of each before is not counted.
    """
    for call in ways.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, call in ways.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: min(each) for name, each in seconds.items()}


def arguments(description: str | None, *, rounds: int | None = None) -> argparse.ArgumentParser:
    """Return a parser of the shared arguments; ``rounds`` is a default, None for no rounds."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if rounds is not None:
        parser.add_argument(
            "--rounds", type=int, default=rounds, help="how often each way is measured"
        )
    parser.add_argument("--json", type=Path, help="a file for the rows as JSON")
    return parser


def training_cost(model: Path) -> dict[str, Any]:
    """Read the cost of the training of a model, which was trained on this machine."""
    file = run_folder(read_info(model).origin.fingerprint) / "training_cost.json"
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def peak_kilobytes(status: str) -> int:
    """Return the peak memory of a process, the kernel's VmHWM, from its /proc/self/status."""
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1])


def show(rows: Sequence[Mapping[str, object]], file: Path | None) -> None:
    """Print rows with the same keys as a table, and write them as JSON into ``file``."""
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console(width=120).print(table)
    if file is not None:
        file.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
