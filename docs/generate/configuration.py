"""The reference of the configuration: meanings and limits from the schema, defaults from conf/."""

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_origin

import griffe
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from docs.generate.comments import comments, header
from docs.generate.types import describe, section_in
from drnsr.config.compose import load_option
from drnsr.config.schema import ComposedConfig
from drnsr.project import CONF

INTRODUCTION = """\
# Configuration

Made from `conf/`, which has the values and the reasons for them, and from `drnsr.config.schema`,
which has the meaning, type and limits of each key. An unknown key or a value outside its limits is
refused in one line, before anything runs.

| where | how a key is set |
|---|---|
| the graph, from now on | in `params.yaml`: `set: {trainer: {max_steps: 1000}}` |
| the graph, once | `dvc exp run -S '++set.trainer.max_steps=1000'` |
| a training or sweep by hand | `python -m pipelines.train trainer.max_steps=1000` |

A default such as `${scale}` is the value of the key `scale`. The text in italics stands behind the
default in `conf/`. [Choices](#choices) lists the files of `conf/` that set many keys at once.

## Keys
"""
CHOICES = """\
## Choices

A choice is a file in a folder of `conf/`: `model: edsr` in `params.yaml` (`++loss` and others that
have no line there are added), `model=edsr` by hand.
"""
# The values in these files are the arguments of a class or function, and the table shows them.
WITH_ARGUMENTS = ("loss", "optimizer", "scheduler", "clipping", "model")
# Keys whose own keys depend on the class that is chosen.
WITH_CHOICES = ("loss", "optimizer", "scheduler", "clipping")


def page() -> str:
    """Return the page, in Markdown."""
    groups = sorted({path.parent.name for path in CONF.glob("*/*.yaml")})
    return "\n".join(
        [
            INTRODUCTION,
            *_sections("", ComposedConfig, _defaults(), set()),
            CHOICES,
            *(_group(group) for group in groups),
        ]
    )


def meanings(kind: type[BaseModel] = ComposedConfig, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each key of the schema with its meaning, which is empty if none is written."""
    for name, field in kind.model_fields.items():
        yield f"{prefix}{name}", _meanings(kind).get(name, "")
        section, between = section_in(field.annotation)
        if section is not None:
            yield from meanings(section, f"{prefix}{name}.{between}")


def _sections(
    prefix: str, kind: type[BaseModel], defaults: object, shown: set[type]
) -> Iterator[str]:
    """Yield the table of a section's own keys, and then those of the sections in it."""
    if prefix:
        title = prefix.removesuffix(".")
        yield f"### {title} {{ #{_anchor(kind)} }}\n\n{_summary(kind)}\n"
    yield "| key | default | values | meaning |\n|---|---|---|---|"
    inner = []
    for name, field in kind.model_fields.items():
        section, between = section_in(field.annotation)
        value = defaults.get(name, ...) if isinstance(defaults, Mapping) else ...
        if section is not None:
            inner.append((f"{prefix}{name}.{between}", section, _first(value, between)))
            other = (
                describe(field.annotation)
                if get_origin(field.annotation) in (Union, UnionType)
                else ""
            )
            values = ", ".join(filter(None, (other.lstrip(", "), f"[keys](#{_anchor(section)})")))
            default = ""
        else:
            values = describe(field.annotation, field.metadata)
            default = _default(value if value is not ... else field.get_default())
        if f"{prefix}{name}" in WITH_CHOICES:
            values = f"[choices](#choice-{name})"
        meaning, comment = _meanings(kind).get(name, ""), comments().get(f"{prefix}{name}")
        meaning += f" *{comment}*" if comment else ""
        yield f"| `{prefix}{name}` | {_cell(default)} | {values} | {_cell(meaning)} |"
    yield ""
    for key, section, value in inner:
        if section not in shown:
            shown.add(section)
            yield from _sections(key, section, value, shown)


def _first(value: object, between: str) -> object:
    """Return the default of a section, or of the first one of several."""
    several = value if between else [value]
    if isinstance(several, Mapping):
        several = list(several.values())
    return several[0] if isinstance(several, list) and several else None


def _default(value: object) -> str:
    if value is PydanticUndefined or isinstance(value, Mapping) or len(str(value)) > 60:
        return ""
    return f"`{_plain(value)}`"


def _plain(value: object) -> str:
    """Return a value as YAML has it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_plain, value))}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


@cache
def _defaults() -> dict[str, Any]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("config")
    return OmegaConf.to_container(composed)


@cache
def _docstring(kind: type[BaseModel]) -> list[griffe.DocstringSection]:
    return griffe.Docstring(inspect.cleandoc(kind.__doc__ or "")).parse("google")


def _meanings(kind: type[BaseModel]) -> dict[str, str]:
    return {
        attribute.name: _plain_text(attribute.description)
        for section in _docstring(kind)
        if section.kind is griffe.DocstringSectionKind.attributes
        for attribute in section.value
    }


def _summary(kind: type[BaseModel]) -> str:
    return _plain_text(_docstring(kind)[0].value)


def _plain_text(text: str) -> str:
    """Return a docstring's text without the roles of Sphinx."""
    return " ".join(re.sub(r":(mod|class|func):", "", text).replace("``", "`").split())


def _anchor(kind: type[BaseModel]) -> str:
    return f"keys-{kind.__name__.lower()}"


def _group(group: str) -> str:
    default = _chosen().get(group)
    lines = [f"### {group} {{ #choice-{group} }}\n", "| choice | what it is |", "|---|---|"]
    for path in sorted((CONF / group).glob("*.yaml")):
        name = f"`{path.stem}`" + (" (the default)" if path.stem == default else "")
        says = [header(path)] if header(path) else []
        if group in WITH_ARGUMENTS:
            says += _arguments(group, path)
        lines.append(f"| {name} | {_cell('<br>'.join(says))} |")
    return "\n".join(lines) + "\n"


def _arguments(group: str, path: Path) -> list[str]:
    """Return the class that a file names, and each argument with its comment."""
    content = OmegaConf.to_container(load_option(group, path.stem))
    prefix = "network." if "network" in content else ""
    node = content.get("network", content)
    noted = comments(path)
    lines = [f"`{node['_target_']}`"]
    for name, value in node.items():
        if not name.startswith("_"):
            lines.append(f"`{name}: {value}` {noted.get(prefix + name, '')}".strip())
    return lines


@cache
def _chosen() -> dict[str, str]:
    entries = OmegaConf.to_container(OmegaConf.load(CONF / "config.yaml"))["defaults"]
    return {
        group: name for entry in entries if isinstance(entry, dict) for group, name in entry.items()
    }


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
