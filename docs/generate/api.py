"""The reference of the Python API: a page for each package of drnsr, from its docstrings."""

import ast
from collections.abc import Callable
from functools import partial
from pathlib import Path

import drnsr

PACKAGE = Path(drnsr.__file__).parent

# The most used first; each is described by its docstring.
PACKAGES = (
    *("inference", "upscale", "evaluation", "training", "networks", "data"),
    *("degradation", "weights", "video", "images", "tracking", "reporting", "config"),
)


def page(package: str) -> str:
    """Return the page of a package, in Markdown: each module with its public names."""
    parts = [f"# drnsr.{package}\n\n{_summary(package)}\n"]
    for path in sorted((PACKAGE / package).rglob("*.py")):
        if path.stem != "__init__" and not path.stem.startswith("_"):
            parts.append(f"::: {_module(path)}\n")
    return "\n".join(parts)


def overview() -> str:
    """Return the first page: the class that most programs need, and the list of the packages."""
    rows = [f"| [drnsr.{package}]({package}.md) | {_summary(package)} |" for package in PACKAGES]
    return "\n".join(
        [
            "# Python API\n",
            "Most programs need one class; [an example](../../upscale.md#in-python) uses it.\n",
            "::: drnsr.inference.upscaler.Upscaler\n    options:\n      heading_level: 2\n",
            "## All packages\n",
            "| package | contents |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _summary(package: str) -> str:
    docstring = ast.get_docstring(ast.parse((PACKAGE / package / "__init__.py").read_text()))
    return (docstring or "").partition("\n\n")[0].replace("\n", " ")


def _module(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/api/index.md": overview,
    **{f"docs/reference/api/{package}.md": partial(page, package) for package in PACKAGES},
}
