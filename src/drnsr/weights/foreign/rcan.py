"""RCAN as its authors, torchSR, super-image and BasicSR save it.

torchSR and super-image use the authors' names.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from drnsr.networks.layers import DIV2K_MEAN
from drnsr.networks.rcan import RCAN
from drnsr.weights.foreign.layout import Given, Layout, LayoutError, Reading, Weights, upsampler
from drnsr.weights.foreign.mean_shift import fold_mean_shift


@dataclass(frozen=True)
class _Names:
    """A program's names inside the body; ``{}`` stands for numbers of groups and blocks.

    Attributes:
        block: a channel-attention block.
        squeeze: the first convolution of its attention, within the block.
        excite: the second one.
        group_end: the convolution at the end of a group; the second ``{}`` is the number of blocks.
    """

    block: str
    squeeze: str
    excite: str
    group_end: str

    def sizes(self, weights: Weights) -> dict[str, int]:
        """Return the numbers of groups and blocks, and the attention's reduction of channels.

        Raises:
            LayoutError: if the attention has more channels inside than outside.
        """
        first_conv = f"{self.block.replace('.', '[.]')}[.]0[.]weight"
        squeeze = f"{self.block.format(0, 0)}.{self.squeeze}"
        squeezed, num_features, _, _ = weights.conv_shape(squeeze)
        if squeezed > num_features:
            raise LayoutError(
                f"{squeeze}.weight has {squeezed} channels for {num_features}; RCAN's attention"
                " reduces their number"
            )
        return {
            "num_groups": weights.count(first_conv.format(r"(\d+)", "0")),
            "num_blocks": weights.count(first_conv.format("0", r"(\d+)")),
            "reduction": num_features // squeezed,
        }

    def modules(self, num_groups: int, num_blocks: int) -> dict[str, str]:
        """Return the modules of the body."""
        modules = {}
        for group in range(num_groups):
            for block in range(num_blocks):
                ours, theirs = f"body.{group}.blocks.{block}", self.block.format(group, block)
                modules[f"{ours}.conv1"] = f"{theirs}.0"
                modules[f"{ours}.conv2"] = f"{theirs}.2"
                modules[f"{ours}.squeeze"] = f"{theirs}.{self.squeeze}"
                modules[f"{ours}.excite"] = f"{theirs}.{self.excite}"
            modules[f"body.{group}.end"] = self.group_end.format(group, num_blocks)
        return modules


_OFFICIAL = _Names("body.{}.body.{}.body", "3.conv_du.0", "3.conv_du.2", "body.{}.body.{}")
_BASICSR = _Names(
    "body.{}.residual_group.{}.rcab", "3.attention.1", "3.attention.3", "body.{}.conv"
)


def _read_official(weights: Weights, given: Given) -> Reading:
    num_features, *_ = weights.conv_shape("head.0")
    sizes = _OFFICIAL.sizes(weights)
    scale, upsampling = upsampler(weights, "tail.0", "upsampler")
    shift = fold_mean_shift(weights, given, head="head.0", tail="tail.1")
    return Reading(
        network=RCAN,
        hyper_parameters={
            "scale": scale,
            "num_features": num_features,
            **sizes,
            **shift.hyper_parameters,
        },
        assumed=shift.assumed,
        modules={
            "head": "head.0",
            **_OFFICIAL.modules(sizes["num_groups"], sizes["num_blocks"]),
            "body_end": f"body.{sizes['num_groups']}",
            **upsampling,
            "tail": "tail.1",
        },
        weights=shift.weights,
    )


def _read_basicsr(weights: Weights, _given: Given) -> Reading:
    num_features, *_ = weights.conv_shape("conv_first")
    sizes = _BASICSR.sizes(weights)
    scale, upsampling = upsampler(weights, "upsample", "upsampler")
    return Reading(
        network=RCAN,
        hyper_parameters={
            "scale": scale,
            "num_features": num_features,
            **sizes,
            "residual_scale": 1.0,
            # BasicSR subtracts the mean colour in its code: the file does not have it.
            "img_range": 255.0,
            "rgb_mean": list(DIV2K_MEAN),
        },
        assumed=("residual_scale", "img_range", "rgb_mean"),
        modules={
            "head": "conv_first",
            **_BASICSR.modules(sizes["num_groups"], sizes["num_blocks"]),
            "body_end": "conv_after_body",
            **upsampling,
            "tail": "conv_last",
        },
        weights=weights,
    )


def _super_image(_config: Mapping[str, object]) -> Given:
    """super-image runs the mean shift of RCAN, on 0..1."""
    return {"img_range": 1.0}


LAYOUTS = (
    Layout(
        "RCAN",
        ("body.0.body.0.body.0.weight", "tail.0.0.weight"),
        _read_official,
        super_image=_super_image,
    ),
    Layout("BasicSR", ("body.0.residual_group.0.rcab.0.weight",), _read_basicsr),
)
