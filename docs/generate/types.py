"""The types of the schema in words: what a value may be."""

from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from drnsr.config.values import Node

# Limits of 64 bits are those of the computer and say nothing.
_NO_LIMIT = 2**62
_WORDS = {int: "whole number", float: "number", str: "text", bool: "`true`, `false`"}


def section_in(annotation: Any) -> tuple[type[BaseModel] | None, str]:  # noqa: ANN401
    """Return the section that a key has, and what stands between: `NAME.` for one of several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType, Annotated):
        for argument in arguments:
            section, between = section_in(argument)
            if section is not None:
                return section, between
    if origin in (dict, list):
        section, between = section_in(arguments[-1])
        return section, ("NAME." if origin is dict else "N.") + between
    return None, ""


def describe(annotation: Any, metadata: Sequence[Any] = ()) -> str:  # noqa: ANN401
    """Return what values an annotation allows."""
    if annotation == Node or any(entry in get_args(Node) for entry in metadata):
        return "`_target_`, a class, and its arguments"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return describe(arguments[0], [*arguments[1:], *metadata])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (Union, UnionType):
        kinds = [
            describe(argument)
            for argument in arguments
            if argument is not NoneType and section_in(argument) == (None, "")
        ]
        return ", ".join(dict.fromkeys(kinds)) + (", `null`" if NoneType in arguments else "")
    if origin is tuple:
        return f"list: {', '.join(describe(each) for each in arguments)}"
    if origin is list:
        return f"list: {describe(arguments[0])}"
    if origin is dict and arguments[1] is Any:
        return "keys and values"
    if origin is dict:
        return f"names with: {describe(arguments[1])}"
    return _WORDS.get(annotation, "any") + _limits(metadata)


def _limits(metadata: Sequence[Any]) -> str:
    limits = {}
    for entry in metadata:
        for each in entry.metadata if isinstance(entry, FieldInfo) else [entry]:
            for name in ("ge", "gt", "le", "lt"):
                if hasattr(each, name) and abs(getattr(each, name)) < _NO_LIMIT:
                    limits[name] = getattr(each, name)
    words = {"ge": "{} or more", "gt": "more than {}", "le": "at most {}", "lt": "less than {}"}
    if {"ge", "le"} <= limits.keys():
        return f", {limits['ge']} to {limits['le']}"
    parts = [words[name].format(value) for name, value in limits.items()]
    return "".join(f", {part}" for part in parts)
