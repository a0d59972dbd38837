"""Short names of methods, for tables that are narrower than the path of a model."""

from collections.abc import Sequence

_LONG = 24  # characters that fit into a column

# What the files of all runs are called, so that it tells none of them apart.
_COMMON_ENDS = ("model.safetensors", "models")


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return what each method is called in a table: its name, or the end of a long path.

    Of a path it is ``.../`` and the last folder or file that tells it apart from the others;
    ``models/model.safetensors``, which each run has, is left out.

    Args:
        names: of the methods, as the user called them.
    """
    parts = {name: _telling_parts(name) for name in names if len(name) > _LONG and "/" in name}
    for count in range(1, max(map(len, parts.values()), default=0) + 1):
        short = {name: _end(parts[name], count) if name in parts else name for name in names}
        if len(set(short.values())) == len(short):
            return short
    return {name: name for name in names}


def _end(parts: list[str], count: int) -> str:
    end = "/".join(parts[-count:])
    return f".../{end}" if count < len(parts) else end


def _telling_parts(name: str) -> list[str]:
    parts = name.split("/")
    for end in _COMMON_ENDS:
        if parts[-1] == end and len(parts) > 1:
            parts.pop()
    return parts
