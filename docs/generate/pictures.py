"""The data sets with their numbers of pictures and licences, and the models trained on them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from drnsr.data.archive import is_archive
from drnsr.data.registry import read_registry
from drnsr.pretrained import available, model_file
from drnsr.project import CONF
from drnsr.weights.native import read_origin

INTRODUCTION = """\
# Data sets and licences

Made from `conf/data`, `conf/benchmark` and the files of the models. A pattern such as `budgie__*`
stands for the images whose names match it. [What the licences mean here](../licences.md).
"""


def page() -> str:
    """Return the page, in Markdown."""
    return "\n".join(
        [
            INTRODUCTION,
            "## To train on\n",
            *_table(_parts()),
            "## To measure on\n",
            *_table(_benchmarks()),
            "## What the shipped models were trained on\n",
            "| model | licence, authors, source | images |\n|---|---|---:|",
            *_models(),
            "",
        ]
    )


def _table(rows: Iterator[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    yield "| data set | files | licence, authors, source |\n|---|---:|---|"
    for name, content in rows:
        licences = content["licences"].items()
        listed = [text if key == "*" else f"`{key}`: {text}" for key, text in licences]
        yield f"| `{name}` | {_count(content)} | {'<br>'.join(listed) or 'not stated'} |"
    yield ""


def _parts() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the parts of each data set once; a set of several parts repeats them."""
    for path in sorted((CONF / "data").glob("*.yaml")):
        content = _load(path)
        for name, part in content.get("parts", {}).items():
            # A part that takes its licences from another has the same pictures, in another size.
            if part.get("registries") and isinstance(part["licences"], dict):
                yield name, part


def _benchmarks() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((CONF / "benchmark").glob("*.yaml")):
        for name, content in _load(path).items():
            degraded = name.endswith("_realistic")  # the pictures of another benchmark
            if name == path.stem and not degraded and content.get("registry"):
                registry = content["registry"].replace("${scale}", "2")
                yield name, content | {"registries": [registry]}


def _load(path: Path) -> dict[str, Any]:
    return OmegaConf.to_container(OmegaConf.load(path))


def _count(content: dict[str, Any]) -> str:
    entries = [
        entry for path in content["registries"] for entry in read_registry(CONF.parent / path)
    ]
    if any(is_archive(entry.name) for entry in entries):
        return "archives"
    return str(len(entries))


def _models() -> Iterator[str]:
    for name in available():
        licences = read_origin(model_file(name)).licences or {"not recorded in the file": ""}
        for number, (licence, images) in enumerate(sorted(licences.items())):
            yield f"| {'' if number else f'`{name}`'} | {licence} | {images} |"
