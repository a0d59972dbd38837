"""pytorch-vdsr (J. Shi): VDSR on luma, with biases or without; often pickled as a whole module."""

from drnsr.networks import VDSR
from drnsr.weights.foreign.layout import Given, Layout, LayoutError, Reading, Weights


def _read(weights: Weights, _given: Given) -> Reading:
    num_features, planes, _, _ = weights.convolution("input")
    if planes != 1:
        raise LayoutError(f"input.weight takes {planes} planes, and this program's VDSR luma alone")
    num_hidden = weights.count(r"residual_layer\.(\d+)\.conv\.weight")
    return Reading(
        network=VDSR,
        hyper_parameters={
            "scales": [2, 3, 4],
            "colour": "Y",
            "num_features": num_features,
            "num_layers": num_hidden + 2,
            "bias": "input.bias" in weights,
            # Its inputs were made by a MATLAB that mirrors the border.
            "border": "mirror",
            "cubic_a": -0.5,
        },
        assumed=("scales", "border", "cubic_a"),
        modules={
            "layers.0": "input",
            **{f"layers.{1 + n}": f"residual_layer.{n}.conv" for n in range(num_hidden)},
            f"layers.{1 + num_hidden}": "output",
        },
        weights=weights,
    )


LAYOUTS = (Layout("pytorch-vdsr", ("input.weight", "residual_layer.0.conv.weight"), _read),)
