"""Values for pictures by their names: ``{"budgie__*": 2, "*": 1}``."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

_Value = TypeVar("_Value")


def value_for(name: str, values: Mapping[str, _Value], default: _Value) -> _Value:
    """Return the value of the first pattern that a name matches.

    Args:
        name: the picture's name.
        values: by name, or by pattern with the wildcards ``*``, ``?`` and ``[...]``; a name itself
            goes before the patterns.
        default: the value if nothing matches.
    """
    if name in values:
        return values[name]
    return next((value for pattern, value in values.items() if fnmatchcase(name, pattern)), default)


def unmatched(patterns: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the names and patterns that no picture's name matches."""
    known = set(names)
    return [
        pattern
        for pattern in patterns
        if pattern not in known and not any(fnmatchcase(name, pattern) for name in known)
    ]
