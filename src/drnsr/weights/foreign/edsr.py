"""EDSR as EDSR-PyTorch (its authors), torchSR, super-image and BasicSR save it.

torchSR and super-image use the names of EDSR-PyTorch.
"""

from collections.abc import Mapping

from drnsr.networks.edsr import EDSR
from drnsr.networks.layers import DIV2K_MEAN
from drnsr.weights.foreign.layout import Given, Layout, Reading, Weights, residual_blocks, upsampler
from drnsr.weights.foreign.mean_shift import fold_mean_shift


def _read_edsr_pytorch(weights: Weights, given: Given) -> Reading:
    num_features, *_ = weights.conv_shape("head.0")
    num_blocks = weights.count(r"body\.(\d+)\.body\.0\.weight")
    scale, upsampling = upsampler(weights, "tail.0", "upsampler")
    shift = fold_mean_shift(weights, given, head="head.0", tail="tail.1")
    return Reading(
        network=EDSR,
        hyper_parameters={
            "scale": scale,
            "num_features": num_features,
            "num_blocks": num_blocks,
            "residual_scale": _published_residual_scale(num_features),
            **shift.hyper_parameters,
        },
        assumed=("residual_scale", *shift.assumed),
        modules={
            "head": "head.0",
            **residual_blocks("body", "body", range(num_blocks), ("body.0", "body.2")),
            "body_end": f"body.{num_blocks}",
            **upsampling,
            "tail": "tail.1",
        },
        weights=shift.weights,
    )


def _read_basicsr(weights: Weights, _given: Given) -> Reading:
    num_features, *_ = weights.conv_shape("conv_first")
    num_blocks = weights.count(r"body\.(\d+)\.conv1\.weight")
    scale, upsampling = upsampler(weights, "upsample", "upsampler")
    return Reading(
        network=EDSR,
        hyper_parameters={
            "scale": scale,
            "num_features": num_features,
            "num_blocks": num_blocks,
            "residual_scale": _published_residual_scale(num_features),
            # BasicSR subtracts the mean colour in its code: the file does not have it.
            "img_range": 255.0,
            "rgb_mean": list(DIV2K_MEAN),
        },
        assumed=("residual_scale", "img_range", "rgb_mean"),
        modules={
            "head": "conv_first",
            **residual_blocks("body", "body", range(num_blocks), ("conv1", "conv2")),
            "body_end": "conv_after_body",
            **upsampling,
            "tail": "conv_last",
        },
        weights=weights,
    )


def _published_residual_scale(num_features: int) -> float:
    """Return 0.1 for EDSR, which has 256 channels, and 1 for its baseline (Lim et al. 2017)."""
    return 0.1 if num_features == 256 else 1.0


def _super_image(config: Mapping[str, object]) -> Given:
    """super-image saves the mean shift of EDSR and does not run it."""
    return {
        "img_range": 1.0,
        "rgb_mean": [0.0, 0.0, 0.0],
        "residual_scale": config.get("res_scale", 1.0),  # type: ignore[dict-item]
    }


LAYOUTS = (
    Layout(
        "EDSR-PyTorch",
        ("body.0.body.0.weight", "tail.0.0.weight"),
        _read_edsr_pytorch,
        super_image=_super_image,
    ),
    Layout("BasicSR", ("body.0.conv1.weight", "conv_after_body.weight"), _read_basicsr),
)
