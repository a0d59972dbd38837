"""The comments of the files in conf/, which say what a choice is and why a value is what it is."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from drnsr.project import CONF


def header(path: Path) -> str:
    """Return the comment at the top of a file, as one line."""
    lines = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line.removeprefix("#").strip())
    return " ".join(lines)


@cache
def comments(path: Path | None = None) -> dict[str, str]:
    """Return the comment behind each key of a file, by its dotted name.

    Args:
        path: the file; without one, conf/config.yaml and the files that are the default choices.
    """
    if path is not None:
        return dict(_behind("", YAML().load(path)))
    root = YAML().load(CONF / "config.yaml")
    found = dict(_behind("", root))
    for entry in root["defaults"]:
        for group, name in entry.items() if isinstance(entry, dict) else ():
            if name is not None:
                found |= _behind(f"{group}.", YAML().load(CONF / group / f"{name}.yaml"))
    return found


def _behind(prefix: str, mapping: CommentedMap) -> Iterator[tuple[str, str]]:
    for key, value in mapping.items():
        token = mapping.ca.items.get(key, [None, None, None])[2]
        # What follows in the next lines belongs to the next key.
        text = token.value.split("\n")[0].lstrip("# ") if token is not None else ""
        if text:
            yield f"{prefix}{key}", text
        if isinstance(value, CommentedMap):
            yield from _behind(f"{prefix}{key}.", value)
