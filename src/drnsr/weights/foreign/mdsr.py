"""MDSR as its authors' EDSR-PyTorch saves it."""

from drnsr.networks.mdsr import MDSR
from drnsr.weights.foreign.layout import Given, Layout, Reading, Weights, residual_blocks, upsampler
from drnsr.weights.foreign.mean_shift import fold_mean_shift

_CONVOLUTIONS = ("body.0", "body.2")  # of a residual block


def _read(weights: Weights, given: Given) -> Reading:
    num_features, *_ = weights.conv_shape("head.0")
    num_blocks = weights.count(r"body\.(\d+)\.body\.0\.weight")
    shift = fold_mean_shift(weights, given, head="head.0", tail="tail.0")
    modules = {
        "head": "head.0",
        **residual_blocks("body", "body", range(num_blocks), _CONVOLUTIONS),
        "body_end": f"body.{num_blocks}",
        "tail": "tail.0",
    }
    scales = []
    for number in range(weights.count(r"upsample\.(\d+)\.0\.weight")):
        scale, upsampling = upsampler(weights, f"upsample.{number}", "upsampler")
        scales.append(scale)
        modules |= {
            ours.replace("upsampler", f"upsampler.{scale}"): theirs
            for ours, theirs in upsampling.items()
        }
        modules |= residual_blocks(f"pre.{scale}", f"pre_process.{number}", range(2), _CONVOLUTIONS)
    return Reading(
        network=MDSR,
        hyper_parameters={
            "scales": scales,
            "num_features": num_features,
            "num_blocks": num_blocks,
            **shift.hyper_parameters,
        },
        assumed=shift.assumed,
        modules=modules,
        weights=shift.weights,
    )


LAYOUTS = (Layout("EDSR-PyTorch", ("pre_process.0.0.body.0.weight",), _read),)
