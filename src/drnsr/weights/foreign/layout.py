"""What a layout is: the names that another program gives the tensors of a network."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from drnsr.networks import HyperParameter, Network

Given = Mapping[str, HyperParameter]
"""Hyper-parameters that a file does not determine, set by the user or by a ``config.json``."""


class LayoutError(ValueError):
    """Weights that do not follow their layout; the message says how, without the file's name."""


class Weights(dict[str, Tensor]):
    """Tensors by the names in their file."""

    def __missing__(self, name: str) -> Tensor:
        raise LayoutError(f"there is no tensor {name!r}")

    def conv_shape(self, name: str) -> tuple[int, int, int, int]:
        """Return the shape of a convolution's weight: (out, in, height, width).

        Raises:
            LayoutError: if there is no such tensor, or it is not that of a 2D convolution.
        """
        weight = self[f"{name}.weight"]
        if weight.dim() != 4 or 0 in weight.shape:
            shape = tuple(weight.shape)
            raise LayoutError(f"{name}.weight has the shape {shape}, not that of a 2D convolution")
        out_channels, in_channels, height, width = weight.shape
        return out_channels, in_channels, height, width

    def count(self, pattern: str) -> int:
        """Return 1 + the largest number that ``pattern``'s group matches in a name, or 0.

        Raises:
            LayoutError: if the number is larger than the number of tensors.
        """
        matches = [match for name in self if (match := re.fullmatch(pattern, name))]
        for match in matches:
            if int(match[1]) >= len(self):
                raise LayoutError(f"{match[0]} has a larger number than there are tensors")
        return max((int(match[1]) + 1 for match in matches), default=0)


@dataclass(frozen=True)
class Reading:
    """A network as a layout reads it from the weights of a file.

    Attributes:
        network: its class.
        hyper_parameters: all of them.
        assumed: names of those that the file does not determine.
        modules: the file's name for each of our modules that has parameters.
        weights: exactly the tensors that the network needs.
    """

    network: type[Network]
    hyper_parameters: dict[str, HyperParameter]
    assumed: tuple[str, ...]
    modules: dict[str, str]
    weights: Weights


@dataclass(frozen=True)
class Layout:
    """One architecture as one program saves it.

    Attributes:
        program: name of the program.
        marks: tensor names that all files of this layout have, and those of no other.
        read: derives the network from the weights and the given hyper-parameters; raises
            :class:`LayoutError`.
        super_image: the hyper-parameters that follow from super-image's ``config.json``, if that
            program saves the architecture under the same names.
    """

    program: str
    marks: tuple[str, ...]
    read: Callable[[Weights, Given], Reading]
    super_image: Callable[[Mapping[str, object]], Given] | None = None


def abbreviate(names: list[str]) -> str:
    """Return the first three names, and the number of the others, for a message."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(ascii, names[:3])) + more


def upsampler(weights: Weights, theirs: str, ours: str) -> tuple[int, dict[str, str]]:
    """Return the scale and the modules of an upsampler: convolutions, each with a pixel shuffle."""
    scale, modules, number = 1, {}, 0
    while f"{theirs}.{number}.weight" in weights:
        out_channels, in_channels, _, _ = weights.conv_shape(f"{theirs}.{number}")
        scale *= math.isqrt(out_channels // in_channels)
        modules[f"{ours}.{number}"] = f"{theirs}.{number}"
        number += 2
    if not modules:
        raise LayoutError(f"there is no tensor '{theirs}.0.weight'")
    return scale, modules


def residual_blocks(
    ours: str, theirs: str, numbers: Iterable[int], inside: tuple[str, str]
) -> dict[str, str]:
    """Return the modules of residual blocks; ``inside`` names the two convolutions of a block."""
    return {
        f"{ours}.{number}.conv{1 + place}": f"{theirs}.{number}.{inside[place]}"
        for number in numbers
        for place in (0, 1)
    }
