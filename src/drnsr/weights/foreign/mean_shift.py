"""The layers `sub_mean` and `add_mean` of EDSR-PyTorch and the programs that follow it."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from drnsr.networks import HyperParameter
from drnsr.networks.layers import DIV2K_MEAN
from drnsr.weights.foreign.layout import Given, LayoutError, Weights

_LAYERS = ("sub_mean", "add_mean")


@dataclass(frozen=True)
class MeanShift:
    """The mean shift of a file, in terms of our networks.

    Attributes:
        weights: the others, with the mean shift folded into them.
        hyper_parameters: ``img_range`` and ``rgb_mean``.
        assumed: names of those that the file does not determine.
    """

    weights: Weights
    hyper_parameters: Mapping[str, HyperParameter]
    assumed: tuple[str, ...]


def fold_mean_shift(weights: Weights, given: Given, *, head: str, tail: str) -> MeanShift:
    """Fold the 1 x 1 convolutions of the mean shift into a colour and the neighbouring layers.

    The layers were meant to be constant, but they were trained in RCAN's files (see the README of
    its weights), where they are arbitrary linear maps of the colours. Our networks only subtract a
    colour. The folding is exact: a linear map of the colours before or after a convolution gives
    another convolution. Only the subtracted colour cannot be folded, because of the zero padding.

    The programs with these layers always save them. Networks with the same names but without them
    (traiNNer-redux's RCAN with ``norm: false``) take 0..1 and shift nothing.

    Args:
        weights: those of the file; the mean shift may be missing.
        given: if it has ``rgb_mean``, the file's layers are ignored, because its program does not
            run them. ``img_range`` is the range of the pixels that the layers take.
        head: the convolution after `sub_mean`.
        tail: the convolution before `add_mean`.

    Raises:
        LayoutError: if one of the four layers is missing or has another shape, or `sub_mean` is
            singular.
    """
    if "sub_mean.weight" not in weights:
        values: dict[str, HyperParameter] = {"img_range": 1.0, "rgb_mean": [0.0, 0.0, 0.0]}
        return MeanShift(weights, values, tuple(values))
    try:
        return _fold(weights, given, head, tail)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise LayoutError(f"sub_mean, {head}, {tail} and add_mean do not fit: {reason}") from error


def _fold(weights: Weights, given: Given, head: str, tail: str) -> MeanShift:
    maps = {name: _linear_map(weights, name) for name in _LAYERS}
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


def _linear_map(weights: Weights, name: str) -> tuple[Tensor, Tensor]:
    """Return the (3, 3) matrix and the (3,) bias of a 1 x 1 convolution of colours."""
    if weights.conv_shape(name) != (3, 3, 1, 1) or weights[f"{name}.bias"].shape != (3,):
        raise LayoutError(f"{name}.weight is not a 1 x 1 convolution of three colours")
    return weights[f"{name}.weight"].double()[:, :, 0, 0], weights[f"{name}.bias"].double()


def _img_range(taken: Tensor, given: Given) -> tuple[float, tuple[str, ...]]:
    """Return the range of the pixels that `sub_mean` takes, and its name if that is a guess.

    DIV2K's mean colour, about 0.4 times the range, determines it. If another colour is subtracted,
    a bias above 1 only says that the range is not 1.
    """
    if "img_range" in given:
        return float(given["img_range"]), ("img_range",)  # type: ignore[arg-type]
    mean = taken.new_tensor(DIV2K_MEAN)
    for img_range in (255.0, 1.0):
        if torch.allclose(-taken, img_range * mean, rtol=0.05):
            return img_range, ()
    return (1.0 if taken.abs().max() <= 1 else 255.0), ("img_range",)
