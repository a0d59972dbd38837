"""Where the weights are, in a file of several things."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from drnsr.weights.foreign.layout import LayoutError, some_names
from drnsr.weights.pickled_names import StandIn

# Where training programs put the weights of the network that they are about.
_KNOWN = (
    *("params", "state_dict", "model_state_dict", "model", "net", "network", "weights"),
    *("generator", "netG", "net_g", "G"),
)

# More than there are in any file; something within itself by many ways would have no end.
_MOST_PARTS = 100_000
_DEEPEST = 16

_AVERAGE = re.compile(r"(.*[_.-])?ema([_.-].*)?", re.IGNORECASE)


@dataclass(frozen=True)
class StateDict:
    """Tensors by name, as they were found in a file.

    Attributes:
        tensors: by name.
        where: the keys that lead there, with dots between; empty for the whole file.
        rank: the best candidate for the weights that are wanted has the smallest.
    """

    tensors: dict[str, Tensor]
    where: str
    rank: int


def is_average(name: str) -> bool:
    """Whether weights of this name are a moving average (EMA)."""
    return _AVERAGE.fullmatch(name) is not None


def find_state_dicts(content: object) -> list[StateDict]:
    """All that may be weights in what a file holds, the best candidate first.

    A moving average comes before the weights themselves, and what has a usual name before others.

    Args:
        content: a state dict, a dictionary with some below it, or a whole module.

    Raises:
        LayoutError: there are none.
    """
    if not isinstance(content, Mapping | StandIn):
        raise LayoutError(f"it holds no weights, but something of type {type(content).__name__}")
    found = sorted(_Search().within(content, "", ()), key=lambda state_dict: state_dict.rank)
    if not found:
        keys = list(content) if isinstance(content, Mapping) else []
        names = some_names([str(key) for key in keys]) or "nothing"
        raise LayoutError(f"it holds no weights under a known name, but {names}")
    return found


class _Search:
    """One walk through what a file holds."""

    def __init__(self) -> None:
        self._parts = 0

    def within(self, content: object, where: str, outer: tuple[int, ...]) -> Iterator[StateDict]:
        self._count(content, outer)
        if isinstance(content, StandIn):
            tensors = dict(self._of_module(content, "", outer))
        elif isinstance(content, Mapping):
            tensors = {str(key): value for key, value in content.items() if _is_tensor(value)}
        else:
            return
        if tensors:
            yield StateDict(tensors, where, _rank(where))
        if isinstance(content, Mapping):
            for key, value in content.items():
                if isinstance(value, Mapping | StandIn):
                    below = f"{where}.{key}" if where else str(key)
                    yield from self.within(value, below, (*outer, id(content)))

    def _of_module(
        self, module: object, prefix: str, outer: tuple[int, ...]
    ) -> Iterator[tuple[str, Tensor]]:
        """The parameters and buffers of a pickled module and of those within it."""
        state = module.state if isinstance(module, StandIn) else None
        if not isinstance(state, Mapping):
            return
        for group in ("_parameters", "_buffers"):
            for name, value in _items(state.get(group)):
                if isinstance(value, Tensor):
                    yield f"{prefix}{name}", value.detach()
        for name, child in _items(state.get("_modules")):
            self._count(child, outer)
            yield from self._of_module(child, f"{prefix}{name}.", (*outer, id(child)))

    def _count(self, content: object, outer: tuple[int, ...]) -> None:
        self._parts += 1
        if id(content) in outer:
            raise LayoutError("what it holds is within itself")
        if self._parts > _MOST_PARTS or len(outer) > _DEEPEST:
            raise LayoutError("what it holds is in too many parts")


def _rank(where: str) -> int:
    """The number of a state dict's place: averages, usual names, the file itself, anything else."""
    *_, last = where.split(".")
    if is_average(last):
        return 0
    if last in _KNOWN:
        return 1 + _KNOWN.index(last)
    return 1 + len(_KNOWN) + bool(where)


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def _items(group: object) -> list[tuple[object, object]]:
    return list(group.items()) if isinstance(group, Mapping) else []
