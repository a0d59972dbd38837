"""Which network of a file is meant, and of which layout it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from torch import Tensor

from drnsr.weights.foreign.layout import Layout, LayoutError, Weights
from drnsr.weights.foreign.state_dicts import StateDict, is_average

# What the network that makes pictures is called where there is a discriminator, too.
_GENERATORS = {"generator", "gen", "netg", "net_g", "g"}

# Names go no deeper in any program.
_DEEPEST = 12


@dataclass(frozen=True)
class Recognised:
    """A network of a known layout.

    Attributes:
        layout: of it.
        weights: by the layout's names.
        where: the keys and prefixes that lead to it, with dots between.
        left: prefixes of what lies beside it under names of its own.
    """

    layout: Layout
    weights: Weights
    where: str
    left: tuple[str, ...]


def recognise(state_dicts: Sequence[StateDict], layouts: Sequence[Layout]) -> Recognised:
    """Find the one network of a known layout, within whatever the names may have been wrapped.

    Args:
        state_dicts: the best candidates first.
        layouts: the known ones.

    Raises:
        LayoutError: there is none, or several and nothing tells which one is meant.
    """
    for _, equally_good in groupby(state_dicts, key=lambda state_dict: state_dict.rank):
        found = [
            match
            for state_dict in equally_good
            for match in _matches(state_dict.tensors, state_dict.where, layouts)
        ]
        if found:
            return _only(found)
    tensors = state_dicts[0].tensors
    known = ", ".join(dict.fromkeys(layout.name for layout in layouts))
    raise LayoutError(
        f"its layout is unknown: {len(tensors)} tensors, the first is"
        f" {next(iter(tensors), None)!a} (known: {known})"
    )


def _matches(
    tensors: Mapping[str, Tensor],
    where: str,
    layouts: Sequence[Layout],
    left: tuple[str, ...] = (),
    depth: int = 0,
) -> Iterator[Recognised]:
    for layout in layouts:
        if all(mark in tensors for mark in layout.marks):
            yield Recognised(layout, Weights(tensors), where, left)
            return
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        prefix, dot, rest = name.partition(".")
        groups.setdefault(prefix, {})[rest if dot else ""] = tensor
    for prefix, group in groups.items():
        if "" in group or depth >= _DEEPEST:
            continue
        others = [other for other in groups if other not in (prefix, "n_averaged")]
        # A prefix that all names have says nothing.
        below = f"{where}.{prefix}".lstrip(".") if others else where
        yield from _matches(group, below, layouts, (*left, *others), depth + 1)


def _only(found: list[Recognised]) -> Recognised:
    if len(found) == 1:
        return found[0]
    for is_meant in (is_average, lambda name: name.lower() in _GENERATORS):
        meant = [match for match in found if any(map(is_meant, match.where.split(".")))]
        if len(meant) == 1:
            return meant[0]
    names = ", ".join(ascii(match.where) for match in found)
    raise LayoutError(f"it holds several networks, and does not say which is meant: {names}")
