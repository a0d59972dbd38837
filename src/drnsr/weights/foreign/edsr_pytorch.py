"""EDSR and MDSR as their authors' EDSR-PyTorch saves them; torchSR's EDSR has the same names."""

from drnsr.networks import EDSR, MDSR
from drnsr.weights.foreign.layout import (
    Given,
    Layout,
    Reading,
    Weights,
    residual_blocks,
    upsampler,
    without_mean_shift,
)

_IN_BLOCK = ("body.0", "body.2")


def _read_edsr(weights: Weights, given: Given) -> Reading:
    num_features, *_ = weights.convolution("head.0")
    num_blocks = weights.count(r"body\.(\d+)\.body\.0\.weight")
    scale, upsampling = upsampler(weights, "tail.0", "upsampler")
    shift = without_mean_shift(weights, given, head="head.0", tail="tail.1")
    return Reading(
        network=EDSR,
        hyper_parameters={
            "scale": scale,
            "num_features": num_features,
            "num_blocks": num_blocks,
            "residual_scale": published_residual_scale(num_features),
            **shift.hyper_parameters,
        },
        assumed=("residual_scale", *shift.assumed),
        modules={
            "head": "head.0",
            **residual_blocks("body", "body", range(num_blocks), _IN_BLOCK),
            "body_end": f"body.{num_blocks}",
            **upsampling,
            "tail": "tail.1",
        },
        weights=shift.weights,
    )


def published_residual_scale(num_features: int) -> float:
    """EDSR's of 256 channels has 0.1, its baseline none (Lim et al. 2017, table 1)."""
    return 0.1 if num_features == 256 else 1.0


def _read_mdsr(weights: Weights, given: Given) -> Reading:
    num_features, *_ = weights.convolution("head.0")
    num_blocks = weights.count(r"body\.(\d+)\.body\.0\.weight")
    shift = without_mean_shift(weights, given, head="head.0", tail="tail.0")
    modules = {
        "head": "head.0",
        **residual_blocks("body", "body", range(num_blocks), _IN_BLOCK),
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
        modules |= residual_blocks(f"pre.{scale}", f"pre_process.{number}", range(2), _IN_BLOCK)
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


LAYOUTS = (
    Layout("EDSR-PyTorch", ("body.0.body.0.weight", "tail.0.0.weight"), _read_edsr),
    Layout("EDSR-PyTorch", ("pre_process.0.0.body.0.weight",), _read_mdsr),
)
