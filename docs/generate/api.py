"""The reference of the Python API: a page for each room of the package, from its docstrings."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import drnsr

PACKAGE = Path(drnsr.__file__).parent

# In the order in which the rooms build on one another, the highest first.
ROOMS = {
    "inference": "Apply a model: tiles, precision, backends, export.",
    "upscale": "Upscale files and folders.",
    "evaluation": "PSNR, SSIM and other metrics, protocols, benchmarks, statistics.",
    "training": "The Lightning module, losses, optimizers, schedules, callbacks, resuming.",
    "networks": "The networks.",
    "data": "Data sets, downloads, the leak audit, training samples.",
    "degradation": "How LR is made for training.",
    "weights": "Model files, and the checkpoints of other programs.",
    "images": "Reading, writing and resizing images.",
    "tracking": "MLflow, and the record of a run.",
    "reporting": "The report, model cards, comparisons.",
    "config": "The schema of the configuration, and how it is composed.",
}


def page(room: str) -> str:
    """Return the page of a room, in Markdown: each module with its public names."""
    parts = [f"# drnsr.{room}\n\n{ROOMS[room]}\n"]
    for path in sorted((PACKAGE / room).rglob("*.py")):
        if path.stem != "__init__" and not path.stem.startswith("_"):
            parts.append(f"::: {_module(path)}\n")
    return "\n".join(parts)


def overview() -> str:
    """Return the first page: the class that most programs need, and the list of the rooms."""
    rows = [f"| [drnsr.{room}]({room}.md) | {says} |" for room, says in ROOMS.items()]
    return "\n".join(
        [
            "# Python API\n",
            "Most programs need one class; [an example](../../upscale.md#in-python) uses it.\n",
            "::: drnsr.inference.upscaler.Upscaler\n    options:\n      heading_level: 2\n",
            "## The rooms of the package\n",
            "| room | what it has |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _module(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/api/index.md": overview,
    **{f"docs/reference/api/{room}.md": partial(page, room) for room in ROOMS},
}
