"""BasicSR's EDSR, RCAN and RRDBNet; Real-ESRGAN's RRDBNet is the same.

Its EDSR and RCAN take off the mean colour in their code, so that the files do not say it.
"""

import math

from drnsr.networks import EDSR, RCAN, HyperParameter, RRDBNet
from drnsr.networks.layers import DIV2K_MEAN
from drnsr.weights.foreign.edsr_pytorch import published_residual_scale
from drnsr.weights.foreign.layout import (
    Given,
    Layout,
    LayoutError,
    Reading,
    Weights,
    rcan_reduction,
    residual_blocks,
    upsampler,
)


def _mean() -> dict[str, HyperParameter]:
    return {"img_range": 255.0, "rgb_mean": list(DIV2K_MEAN)}


def _read_edsr(weights: Weights, _given: Given) -> Reading:
    num_features, *_ = weights.convolution("conv_first")
    num_blocks = weights.count(r"body\.(\d+)\.conv1\.weight")
    scale, upsampling = upsampler(weights, "upsample", "upsampler")
    return Reading(
        network=EDSR,
        hyper_parameters={
            "scale": scale,
            "num_features": num_features,
            "num_blocks": num_blocks,
            "residual_scale": published_residual_scale(num_features),
            **_mean(),
        },
        assumed=("residual_scale", *_mean()),
        modules={
            "head": "conv_first",
            **residual_blocks("body", "body", range(num_blocks), ("conv1", "conv2")),
            "body_end": "conv_after_body",
            **upsampling,
            "tail": "conv_last",
        },
        weights=weights,
    )


def _read_rcan(weights: Weights, _given: Given) -> Reading:
    num_features, *_ = weights.convolution("conv_first")
    num_groups = weights.count(r"body\.(\d+)\.residual_group\.0\.rcab\.0\.weight")
    num_blocks = weights.count(r"body\.0\.residual_group\.(\d+)\.rcab\.0\.weight")
    scale, upsampling = upsampler(weights, "upsample", "upsampler")
    return Reading(
        network=RCAN,
        hyper_parameters={
            "scale": scale,
            "num_features": num_features,
            "num_groups": num_groups,
            "num_blocks": num_blocks,
            "reduction": rcan_reduction(weights, "body.0.residual_group.0.rcab.3.attention.1"),
            "residual_scale": 1.0,
            **_mean(),
        },
        assumed=("residual_scale", *_mean()),
        modules={
            "head": "conv_first",
            **_rcan_body(num_groups, num_blocks),
            "body_end": "conv_after_body",
            **upsampling,
            "tail": "conv_last",
        },
        weights=weights,
    )


def _rcan_body(num_groups: int, num_blocks: int) -> dict[str, str]:
    modules = {}
    for group in range(num_groups):
        for block in range(num_blocks):
            ours = f"body.{group}.blocks.{block}"
            theirs = f"body.{group}.residual_group.{block}.rcab"
            modules[f"{ours}.conv1"] = f"{theirs}.0"
            modules[f"{ours}.conv2"] = f"{theirs}.2"
            modules[f"{ours}.squeeze"] = f"{theirs}.3.attention.1"
            modules[f"{ours}.excite"] = f"{theirs}.3.attention.3"
        modules[f"body.{group}.end"] = f"body.{group}.conv"
    return modules


def _read_rrdbnet(weights: Weights, _given: Given) -> Reading:
    num_blocks = weights.count(r"body\.(\d+)\.rdb1\.conv1\.weight")
    return Reading(
        network=RRDBNet,
        hyper_parameters=rrdbnet_hyper_parameters(
            weights,
            first="conv_first",
            growing="body.0.rdb1.conv1",
            num_blocks=num_blocks,
            doublings=2,
        ),
        assumed=(),
        modules={
            "head": "conv_first",
            **{
                f"body.{block}.blocks.{dense}.convs.{conv}": (
                    f"body.{block}.rdb{dense + 1}.conv{conv + 1}"
                )
                for block in range(num_blocks)
                for dense in range(3)
                for conv in range(5)
            },
            "body_end": "conv_body",
            "doublings.0": "conv_up1",
            "doublings.1": "conv_up2",
            "last": "conv_hr",
            "tail": "conv_last",
        },
        weights=weights,
    )


def rrdbnet_hyper_parameters(
    weights: Weights, *, first: str, growing: str, num_blocks: int, doublings: int
) -> dict[str, HyperParameter]:
    """An RRDBNet's, from its first convolution and the first one of its first dense block.

    Raises:
        LayoutError: it is not one on RGB.
    """
    num_features, planes, _, _ = weights.convolution(first)
    num_growth, *_ = weights.convolution(growing)
    unshuffle = math.isqrt(planes // 3)
    if planes != 3 * unshuffle**2 or 2**doublings % unshuffle:
        raise LayoutError(f"{first}.weight takes {planes} planes: no RGB, unshuffled or not")
    return {
        "scale": 2**doublings // unshuffle,
        "num_features": num_features,
        "num_blocks": num_blocks,
        "num_growth": num_growth,
        "unshuffle": unshuffle,
    }


LAYOUTS = (
    Layout("BasicSR", ("body.0.conv1.weight", "conv_after_body.weight"), _read_edsr),
    Layout("BasicSR", ("body.0.residual_group.0.rcab.0.weight",), _read_rcan),
    Layout("BasicSR", ("body.0.rdb1.conv1.weight",), _read_rrdbnet),
)
