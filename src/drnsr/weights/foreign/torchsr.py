"""torchSR's VDSR, which is on RGB; its EDSR and RCAN are read as those of their authors."""

import torch

from drnsr.networks import VDSR
from drnsr.networks.layers import DIV2K_MEAN
from drnsr.weights.foreign.layout import (
    Given,
    Layout,
    LayoutError,
    Reading,
    Weights,
    without_mean_shift,
)

_SHIFTS = ("sub_mean", "add_mean")


def _read(weights: Weights, _given: Given) -> Reading:
    num_features, *_ = weights.convolution("body.0")
    last = weights.count(r"body\.(\d+)\.weight") - 1  # an activation follows each but the last
    identity = torch.eye(3).view(3, 3, 1, 1)
    if not all(torch.equal(weights[f"{name}.weight"], identity) for name in _SHIFTS):
        raise LayoutError("sub_mean or add_mean mixes colours, which a global residual cannot undo")
    shift = without_mean_shift(weights, {}, head="body.0", tail=f"body.{last}")
    if shift.hyper_parameters != {"img_range": 1.0, "rgb_mean": list(DIV2K_MEAN)}:
        raise LayoutError("sub_mean takes off another colour than DIV2K's mean")
    return Reading(
        network=VDSR,
        hyper_parameters={
            "scales": [2, 3, 4],
            "colour": "RGB",
            "num_features": num_features,
            "num_layers": last // 2 + 1,
            "bias": "body.0.bias" in weights,
            "border": "replicate",
            "cubic_a": -0.75,  # torch's bicubic, which it enlarges with
        },
        assumed=("scales", "border", "cubic_a"),
        modules={f"layers.{number}": f"body.{2 * number}" for number in range(last // 2 + 1)},
        weights=shift.weights,
    )


LAYOUTS = (Layout("torchSR", ("body.0.weight", "body.2.weight", "sub_mean.weight"), _read),)
