"""RCAN as its authors save it; torchSR's RCAN has the same names."""

from drnsr.networks import RCAN
from drnsr.weights.foreign.layout import (
    Given,
    Layout,
    Reading,
    Weights,
    rcan_reduction,
    upsampler,
    without_mean_shift,
)


def _read(weights: Weights, given: Given) -> Reading:
    num_features, *_ = weights.convolution("head.0")
    num_groups = weights.count(r"body\.(\d+)\.body\.0\.body\.0\.weight")
    num_blocks = weights.count(r"body\.0\.body\.(\d+)\.body\.0\.weight")
    scale, upsampling = upsampler(weights, "tail.0", "upsampler")
    shift = without_mean_shift(weights, given, head="head.0", tail="tail.1")
    return Reading(
        network=RCAN,
        hyper_parameters={
            "scale": scale,
            "num_features": num_features,
            "num_groups": num_groups,
            "num_blocks": num_blocks,
            "reduction": rcan_reduction(weights, "body.0.body.0.body.3.conv_du.0"),
            **shift.hyper_parameters,
        },
        assumed=shift.assumed,
        modules={
            "head": "head.0",
            **_body(num_groups, num_blocks),
            "body_end": f"body.{num_groups}",
            **upsampling,
            "tail": "tail.1",
        },
        weights=shift.weights,
    )


def _body(num_groups: int, num_blocks: int) -> dict[str, str]:
    modules = {}
    for group in range(num_groups):
        for block in range(num_blocks):
            ours, theirs = f"body.{group}.blocks.{block}", f"body.{group}.body.{block}.body"
            modules[f"{ours}.conv1"] = f"{theirs}.0"
            modules[f"{ours}.conv2"] = f"{theirs}.2"
            modules[f"{ours}.squeeze"] = f"{theirs}.3.conv_du.0"
            modules[f"{ours}.excite"] = f"{theirs}.3.conv_du.2"
        modules[f"body.{group}.end"] = f"body.{group}.body.{num_blocks}"
    return modules


LAYOUTS = (Layout("RCAN", ("body.0.body.0.body.0.weight", "tail.0.0.weight"), _read),)
