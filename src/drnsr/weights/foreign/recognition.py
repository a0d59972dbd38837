"""Recognising the layout of weights, and which network of a file is meant."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from torch import Tensor

from drnsr.weights.foreign.layout import Layout, LayoutError, Weights
from drnsr.weights.foreign.state_dicts import StateDict, is_average

# Names of the super-resolution network in files that also hold a discriminator.
_GENERATORS = {"generator", "gen", "netg", "net_g", "g"}

# Upper bound of nested prefixes; no program has so many.
_MAX_DEPTH = 12


@dataclass(frozen=True)
class Recognised:
    """A network of a known layout.

    Attributes:
        layout: its layout.
        weights: by the layout's names.
        path: the keys and prefixes that lead to it, joined by dots.
        ignored: other prefixes beside those of ``path``.
    """

    layout: Layout
    weights: Weights
    path: str
    ignored: tuple[str, ...]


def recognise(state_dicts: Sequence[StateDict], layouts: Sequence[Layout]) -> Recognised:
    """Find the one network of a known layout, under any prefix of its names.

    Args:
        state_dicts: candidates, the best ones first.
        layouts: the known layouts.

    Raises:
        LayoutError: if there is none, or several and nothing says which one is meant.
    """
    for _, equally_good in groupby(state_dicts, key=lambda state_dict: state_dict.rank):
        found = [
            match
            for state_dict in equally_good
            for match in _matches(state_dict.tensors, state_dict.path, layouts)
        ]
        if found:
            return _select(found)
    tensors = state_dicts[0].tensors
    known = ", ".join(dict.fromkeys(layout.program for layout in layouts))
    raise LayoutError(
        f"its layout is unknown: {len(tensors)} tensors, the first is"
        f" {next(iter(tensors), None)!a} (known programs: {known})"
    )


def _matches(
    tensors: Mapping[str, Tensor],
    path: str,
    layouts: Sequence[Layout],
    ignored: tuple[str, ...] = (),
    depth: int = 0,
) -> Iterator[Recognised]:
    """Yield the networks of known layouts, here or below each prefix."""
    for layout in layouts:
        if all(mark in tensors for mark in layout.marks):
            yield Recognised(layout, Weights(tensors), path, ignored)
            return
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        prefix, dot, rest = name.partition(".")
        groups.setdefault(prefix, {})[rest if dot else ""] = tensor
    for prefix, group in groups.items():
        if "" in group or depth >= _MAX_DEPTH:
            continue
        others = [other for other in groups if other not in (prefix, "n_averaged")]
        # A prefix that all names share is not worth mentioning.
        below = f"{path}.{prefix}".lstrip(".") if others else path
        yield from _matches(group, below, layouts, (*ignored, *others), depth + 1)


def _select(found: list[Recognised]) -> Recognised:
    """Return the moving average or the generator, if there are several networks."""
    if len(found) == 1:
        return found[0]
    for is_meant in (is_average, lambda name: name.lower() in _GENERATORS):
        meant = [match for match in found if any(map(is_meant, match.path.split(".")))]
        if len(meant) == 1:
            return meant[0]
    paths = ", ".join(ascii(match.path) for match in found)
    raise LayoutError(f"it holds several networks, and does not say which is meant: {paths}")
