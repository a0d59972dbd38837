"""What a layout is: the names that another program gives the weights of a network."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from drnsr.networks import HyperParameter, Network
from drnsr.networks.layers import DIV2K_MEAN

Given = Mapping[str, HyperParameter]
"""Hyper-parameters that a file does not say, and somebody else does."""


class LayoutError(ValueError):
    """Weights that are not as their layout has them; the message says which, but of no file."""


class Weights(dict[str, Tensor]):
    """Tensors by the names of their file."""

    def __missing__(self, name: str) -> Tensor:
        raise LayoutError(f"there is no tensor {name!r}")

    def convolution(self, name: str) -> tuple[int, int, int, int]:
        """The shape of a convolution's weight: out, in, height, width.

        Raises:
            LayoutError: there is none, or it is no convolution's.
        """
        weight = self[f"{name}.weight"]
        if weight.dim() != 4 or 0 in weight.shape:
            raise LayoutError(f"{name}.weight has the shape {tuple(weight.shape)}, of no image")
        out_channels, in_channels, height, width = weight.shape
        return out_channels, in_channels, height, width

    def count(self, pattern: str) -> int:
        """How many there are by the largest number at ``pattern``'s group, which counts from 0.

        Raises:
            LayoutError: there cannot be so many.
        """
        matches = [match for name in self if (match := re.fullmatch(pattern, name))]
        for match in matches:
            if int(match[1]) >= len(self):
                raise LayoutError(f"{match[0]} has a larger number than there are tensors")
        return max((int(match[1]) + 1 for match in matches), default=0)


@dataclass(frozen=True)
class Reading:
    """What a layout makes of the weights of a file.

    Attributes:
        network: the class of it.
        hyper_parameters: all of them.
        assumed: names of those that the file does not say.
        modules: for each module of ours that has parameters, the file's name for it.
        weights: all that must be there, and nothing else.
    """

    network: type[Network]
    hyper_parameters: dict[str, HyperParameter]
    assumed: tuple[str, ...]
    modules: dict[str, str]
    weights: Weights


@dataclass(frozen=True)
class Layout:
    """One family of networks as one program saves it.

    Attributes:
        name: of the program.
        marks: names that are there in this layout, and not all of them in another.
        read: find out what the network is, from the weights and what is given beside them; raises
            :class:`LayoutError`.
    """

    name: str
    marks: tuple[str, ...]
    read: Callable[[Weights, Given], Reading]


def some_names(names: list[str]) -> str:
    """The first few, for people."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(ascii, names[:3])) + more


def upsampler(weights: Weights, theirs: str, ours: str) -> tuple[int, dict[str, str]]:
    """The scale of an upsampler (convolutions with a pixel shuffle after each), and its modules."""
    scale, modules, number = 1, {}, 0
    while f"{theirs}.{number}.weight" in weights:
        out_channels, in_channels, _, _ = weights.convolution(f"{theirs}.{number}")
        scale *= math.isqrt(out_channels // in_channels)
        modules[f"{ours}.{number}"] = f"{theirs}.{number}"
        number += 2
    if not modules:
        raise LayoutError(f"there is no tensor '{theirs}.0.weight'")
    return scale, modules


def rcan_reduction(weights: Weights, squeeze: str) -> int:
    """How many times fewer channels RCAN's attention has inside.

    Raises:
        LayoutError: it has more.
    """
    squeezed, num_features, _, _ = weights.convolution(squeeze)
    if squeezed > num_features:
        raise LayoutError(
            f"{squeeze}.weight makes {squeezed} channels of {num_features}, and RCAN's attention"
            " fewer"
        )
    return num_features // squeezed


def residual_blocks(
    ours: str, theirs: str, numbers: Iterable[int], inside: tuple[str, str]
) -> dict[str, str]:
    """The two convolutions of each residual block; ``inside`` is what they are called there."""
    return {
        f"{ours}.{number}.conv{1 + place}": f"{theirs}.{number}.{inside[place]}"
        for number in numbers
        for place in (0, 1)
    }


@dataclass(frozen=True)
class MeanShift:
    """What the layers `sub_mean` and `add_mean` come to in our networks."""

    weights: Weights
    hyper_parameters: Mapping[str, HyperParameter]
    assumed: tuple[str, ...]


_LAYERS = ("sub_mean", "add_mean")


def without_mean_shift(weights: Weights, given: Given, *, head: str, tail: str) -> MeanShift:
    """Fold the convolutions of 1 x 1 that shift the mean colour into a number and their neighbours.

    The layers were meant to be constant, but in RCAN's files they were trained (see the README of
    its weights), and are any linear map of the colours. Ours take off a colour and nothing else.
    Nothing is lost: a convolution after a linear map of the colours is another convolution, and so
    is one before it; what is taken off is the only thing that zero padding lets nobody move.

    The programs that have these layers always save them. Networks of the same names without them
    (traiNNer-redux's RCAN with ``norm: false``) take 0..1 and shift nothing.

    Args:
        weights: of the file; those of the mean shift may be missing.
        given: with an ``rgb_mean`` the layers of the file are left out: the program that the file
            is for does not run them. An ``img_range`` is what the layers see 0..1 as.
        head: the convolution after `sub_mean`.
        tail: the one before `add_mean`.

    Raises:
        LayoutError: one of the four is missing or of another shape, or `sub_mean` loses a colour.
    """
    if "sub_mean.weight" not in weights:
        values: dict[str, HyperParameter] = {"img_range": 1.0, "rgb_mean": [0.0, 0.0, 0.0]}
        return MeanShift(weights, values, tuple(values))
    try:
        return _folded(weights, given, head, tail)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise LayoutError(f"sub_mean, {head}, {tail} and add_mean do not fit: {reason}") from error


def _folded(weights: Weights, given: Given, head: str, tail: str) -> MeanShift:
    maps = {}
    for name in _LAYERS:
        is_of_colours = weights.convolution(name) == (3, 3, 1, 1)
        if not is_of_colours or weights[f"{name}.bias"].shape != (3,):
            raise LayoutError(f"{name}.weight is no 1 x 1 convolution of three colours")
        maps[name] = (
            weights[f"{name}.weight"].double()[:, :, 0, 0],
            weights[f"{name}.bias"].double(),
        )
    (before, taken), (after, added) = maps.values()
    img_range, assumed = _img_range(taken, given)
    folded = Weights({k: v for k, v in weights.items() if k.split(".")[0] not in maps})
    if "rgb_mean" in given:
        return MeanShift(
            folded, {"img_range": img_range, "rgb_mean": given["rgb_mean"]}, (*assumed, "rgb_mean")
        )
    offset = torch.linalg.solve(before, taken)  # before @ (x + offset) = before @ x + taken
    mean = -offset / img_range
    is_published = torch.allclose(mean, mean.new_tensor(DIV2K_MEAN), rtol=0, atol=1e-6)
    rgb_mean = list(DIV2K_MEAN) if is_published else mean.tolist()
    folded[f"{head}.weight"] = torch.einsum(
        "ochw,cd->odhw", weights[f"{head}.weight"].double(), before
    )
    folded[f"{tail}.weight"] = torch.einsum(
        "oc,cdhw->odhw", after, weights[f"{tail}.weight"].double()
    )
    folded[f"{tail}.bias"] = after @ weights[f"{tail}.bias"].double() + added + offset
    return MeanShift(folded, {"img_range": img_range, "rgb_mean": rgb_mean}, assumed)


def _img_range(taken: Tensor, given: Given) -> tuple[float, tuple[str, ...]]:
    """What `sub_mean` sees 0..1 as, and its name where the colour that it takes off leaves it open.

    DIV2K's mean tells it, 0.4 of one range or the other. Another colour tells only that of a bias
    above 1 the range is not 1.
    """
    if "img_range" in given:
        return float(given["img_range"]), ("img_range",)  # type: ignore[arg-type]
    mean = taken.new_tensor(DIV2K_MEAN)
    for img_range in (255.0, 1.0):
        if torch.allclose(-taken, img_range * mean, rtol=0.05):
            return img_range, ()
    return (1.0 if taken.abs().max() <= 1 else 255.0), ("img_range",)
