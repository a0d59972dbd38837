"""Finding the state dicts in the content of a checkpoint."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from drnsr.weights.foreign.layout import LayoutError, abbreviate
from drnsr.weights.pickled_names import StandIn

# Keys under which training programs store the weights of their network.
_USUAL_KEYS = (
    *("params", "state_dict", "model_state_dict", "model", "net", "network", "weights"),
    *("generator", "netG", "net_g", "G"),
)

# Upper bounds that no real file reaches: an object that contains itself in many ways would never
# end.
_MAX_PARTS = 100_000
_MAX_DEPTH = 16

_AVERAGE = re.compile(r"(.*[_.-])?ema([_.-].*)?", re.IGNORECASE)


@dataclass(frozen=True)
class StateDict:
    """A state dict that was found in a file.

    Attributes:
        tensors: by name.
        path: the keys that lead to it, joined by dots; empty for the whole file.
        rank: smaller for a better candidate.
    """

    tensors: dict[str, Tensor]
    path: str
    rank: int


def is_average(name: str) -> bool:
    """Return whether weights of this name are a moving average (EMA)."""
    return _AVERAGE.fullmatch(name) is not None


def find_state_dicts(content: object) -> list[StateDict]:
    """Return all state dicts in the content of a file, the best candidate first.

    A moving average comes before the weights themselves, and a usual key before others.

    Args:
        content: a state dict, a dictionary that contains some, or a whole module.

    Raises:
        LayoutError: if there is none.
    """
    if not isinstance(content, Mapping | StandIn):
        raise LayoutError(f"it holds no weights, but a value of type {type(content).__name__}")
    found = sorted(_Search().walk(content, "", ()), key=lambda state_dict: state_dict.rank)
    if not found:
        keys = list(content) if isinstance(content, Mapping) else []
        names = abbreviate([str(key) for key in keys]) or "nothing"
        raise LayoutError(f"it holds no weights under a known key, but {names}")
    return found


class _Search:
    """A bounded recursive walk through the content of a file."""

    def __init__(self) -> None:
        self._parts = 0

    def walk(self, content: object, path: str, outer: tuple[int, ...]) -> Iterator[StateDict]:
        """Yield the state dicts in an object; ``outer`` has the ids of the objects around it."""
        self._count(content, outer)
        if isinstance(content, StandIn):
            tensors = dict(self._module_tensors(content, "", outer))
        elif isinstance(content, Mapping):
            tensors = {str(key): value for key, value in content.items() if _is_tensor(value)}
        else:
            return
        if tensors:
            yield StateDict(tensors, path, _rank(path))
        if isinstance(content, Mapping):
            for key, value in content.items():
                if isinstance(value, Mapping | StandIn):
                    below = f"{path}.{key}" if path else str(key)
                    yield from self.walk(value, below, (*outer, id(content)))

    def _module_tensors(
        self, module: object, prefix: str, outer: tuple[int, ...]
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield the parameters and buffers of a pickled module and of its submodules."""
        state = module.state if isinstance(module, StandIn) else None
        if not isinstance(state, Mapping):
            return
        for group in ("_parameters", "_buffers"):
            for name, value in _items(state.get(group)):
                if isinstance(value, Tensor):
                    yield f"{prefix}{name}", value.detach()
        for name, child in _items(state.get("_modules")):
            self._count(child, outer)
            yield from self._module_tensors(child, f"{prefix}{name}.", (*outer, id(child)))

    def _count(self, content: object, outer: tuple[int, ...]) -> None:
        self._parts += 1
        if id(content) in outer:
            raise LayoutError("its content contains itself")
        if self._parts > _MAX_PARTS or len(outer) > _MAX_DEPTH:
            raise LayoutError("its content has too many parts")


def _rank(path: str) -> int:
    """Rank a path: moving averages, usual keys, the file itself, any other key."""
    *_, last = path.split(".")
    if is_average(last):
        return 0
    if last in _USUAL_KEYS:
        return 1 + _USUAL_KEYS.index(last)
    return 1 + len(_USUAL_KEYS) + bool(path)


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def _items(group: object) -> list[tuple[object, object]]:
    return list(group.items()) if isinstance(group, Mapping) else []
