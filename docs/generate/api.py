"""The reference of the Python API: a page for each room of the package, from its docstrings."""

import ast
from collections.abc import Callable
from functools import partial
from pathlib import Path

import drnsr

PACKAGE = Path(drnsr.__file__).parent

# The highest first; what each has stands in the docstring of its package.
ROOMS = (
    *("inference", "upscale", "evaluation", "training", "networks", "data"),
    *("degradation", "weights", "video", "images", "tracking", "reporting", "config"),
)


def page(room: str) -> str:
    """Return the page of a room, in Markdown: each module with its public names."""
    parts = [f"# drnsr.{room}\n\n{_summary(room)}\n"]
    for path in sorted((PACKAGE / room).rglob("*.py")):
        if path.stem != "__init__" and not path.stem.startswith("_"):
            parts.append(f"::: {_module(path)}\n")
    return "\n".join(parts)


def overview() -> str:
    """Return the first page: the class that most programs need, and the list of the rooms."""
    rows = [f"| [drnsr.{room}]({room}.md) | {_summary(room)} |" for room in ROOMS]
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


def _summary(room: str) -> str:
    docstring = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text()))
    return (docstring or "").partition("\n\n")[0].replace("\n", " ")


def _module(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/api/index.md": overview,
    **{f"docs/reference/api/{room}.md": partial(page, room) for room in ROOMS},
}
