"""VDSR as pytorch-vdsr (J. Shi; on luma) and torchSR (on RGB) save it.

Files of pytorch-vdsr are often whole pickled modules.
"""

import torch

from drnsr.networks.layers import DIV2K_MEAN
from drnsr.networks.vdsr import VDSR
from drnsr.weights.foreign.layout import Given, Layout, LayoutError, Reading, Weights
from drnsr.weights.foreign.mean_shift import fold_mean_shift

_ASSUMED = ("scales", "border", "cubic_a")


def _read_pytorch_vdsr(weights: Weights, _given: Given) -> Reading:
    num_features, in_channels, _, _ = weights.conv_shape("input")
    if in_channels != 1:
        raise LayoutError(
            f"input.weight takes {in_channels} channels, but VDSR of this program takes luma alone"
        )
    num_hidden = weights.count(r"residual_layer\.(\d+)\.conv\.weight")
    return Reading(
        network=VDSR,
        hyper_parameters={
            "scales": [2, 3, 4],
            "colour": "Y",
            "num_features": num_features,
            "num_layers": num_hidden + 2,
            "bias": "input.bias" in weights,
            # Its inputs were made by MATLAB, which mirrors the picture at its border.
            "border": "mirror",
            "cubic_a": -0.5,
        },
        assumed=_ASSUMED,
        modules={
            "layers.0": "input",
            **{f"layers.{1 + n}": f"residual_layer.{n}.conv" for n in range(num_hidden)},
            f"layers.{1 + num_hidden}": "output",
        },
        weights=weights,
    )


def _read_torchsr(weights: Weights, _given: Given) -> Reading:
    num_features, *_ = weights.conv_shape("body.0")
    last = weights.count(r"body\.(\d+)\.weight") - 1  # an activation follows each but the last
    identity = torch.eye(3).view(3, 3, 1, 1)
    if not all(torch.equal(weights[f"{n}.weight"], identity) for n in ("sub_mean", "add_mean")):
        raise LayoutError("sub_mean or add_mean mixes colours, which a global residual cannot undo")
    shift = fold_mean_shift(weights, {}, head="body.0", tail=f"body.{last}")
    if shift.hyper_parameters != {"img_range": 1.0, "rgb_mean": list(DIV2K_MEAN)}:
        raise LayoutError("sub_mean subtracts another colour than DIV2K's mean")
    return Reading(
        network=VDSR,
        hyper_parameters={
            "scales": [2, 3, 4],
            "colour": "RGB",
            "num_features": num_features,
            "num_layers": last // 2 + 1,
            "bias": "body.0.bias" in weights,
            "border": "replicate",
            "cubic_a": -0.75,  # that of torch's bicubic, by which it enlarges
        },
        assumed=_ASSUMED,
        modules={f"layers.{number}": f"body.{2 * number}" for number in range(last // 2 + 1)},
        weights=shift.weights,
    )


LAYOUTS = (
    Layout("pytorch-vdsr", ("input.weight", "residual_layer.0.conv.weight"), _read_pytorch_vdsr),
    Layout("torchSR", ("body.0.weight", "body.2.weight", "sub_mean.weight"), _read_torchsr),
)
