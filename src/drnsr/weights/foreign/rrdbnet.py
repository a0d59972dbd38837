"""RRDBNet as ESRGAN (its authors), BasicSR and Real-ESRGAN save it.

ESRGAN numbered its layers first, and named them later. Real-ESRGAN uses BasicSR's names.
"""

import math

from drnsr.networks import HyperParameter
from drnsr.networks.rrdbnet import RRDBNet
from drnsr.weights.foreign.layout import Given, Layout, LayoutError, Reading, Weights


def _read_basicsr(weights: Weights, _given: Given) -> Reading:
    num_blocks = weights.count(r"body\.(\d+)\.rdb1\.conv1\.weight")
    return Reading(
        network=RRDBNet,
        hyper_parameters=_hyper_parameters(
            weights,
            first="conv_first",
            growing="body.0.rdb1.conv1",
            num_blocks=num_blocks,
            doublings=2,
        ),
        assumed=(),
        modules={
            "head": "conv_first",
            **_body(num_blocks, "body.{}.rdb{}.conv{}"),
            "body_end": "conv_body",
            "doublings.0": "conv_up1",
            "doublings.1": "conv_up2",
            "last": "conv_hr",
            "tail": "conv_last",
        },
        weights=weights,
    )


def _read_esrgan(weights: Weights, _given: Given) -> Reading:
    num_blocks = weights.count(r"RRDB_trunk\.(\d+)\.RDB1\.conv1\.weight")
    # The networks of BSRGAN and RealSR for scale 2 have upconv1 alone.
    doublings = max(0, weights.count(r"upconv(\d)\.weight") - 1)
    return Reading(
        network=RRDBNet,
        hyper_parameters=_hyper_parameters(
            weights,
            first="conv_first",
            growing="RRDB_trunk.0.RDB1.conv1",
            num_blocks=num_blocks,
            doublings=doublings,
        ),
        assumed=(),
        modules={
            "head": "conv_first",
            **_body(num_blocks, "RRDB_trunk.{}.RDB{}.conv{}"),
            "body_end": "trunk_conv",
            **{f"doublings.{number}": f"upconv{1 + number}" for number in range(doublings)},
            "last": "HRconv",
            "tail": "conv_last",
        },
        weights=weights,
    )


def _read_oldest_esrgan(weights: Weights, given: Given) -> Reading:
    # Layer 1 is the trunk. Each doubling after it is three layers, of which the second is the
    # convolution: 3, 6, ... Then come a convolution, its activation, and the last convolution.
    num_blocks = weights.count(r"model\.1\.sub\.(\d+)\.RDB1\.conv1\.0\.weight")
    doublings = (weights.count(r"model\.(\d+)\.weight") - 5) // 3
    hyper_parameters = _hyper_parameters(
        weights,
        first="model.0",
        growing="model.1.sub.0.RDB1.conv1.0",
        num_blocks=num_blocks,
        doublings=doublings,
    )
    # An upsampling by 3 is a single step too, and has the names of a doubling.
    is_open = hyper_parameters["scale"] == 2 and hyper_parameters["unshuffle"] == 1
    if is_open and given.get("scale", 2) not in (2, 3):
        raise LayoutError(f"scale: {given['scale']!a} is neither 2 nor 3")
    return Reading(
        network=RRDBNet,
        hyper_parameters=hyper_parameters,
        assumed=("scale",) if is_open else (),
        modules={
            "head": "model.0",
            **_body(num_blocks, "model.1.sub.{}.RDB{}.conv{}.0"),
            "body_end": f"model.1.sub.{num_blocks}",
            **{f"doublings.{number}": f"model.{3 + 3 * number}" for number in range(doublings)},
            "last": f"model.{3 * doublings + 2}",
            "tail": f"model.{3 * doublings + 4}",
        },
        weights=weights,
    )


def _hyper_parameters(
    weights: Weights, *, first: str, growing: str, num_blocks: int, doublings: int
) -> dict[str, HyperParameter]:
    """Derive the hyper-parameters from the first convolution and that of the first dense block.

    Raises:
        LayoutError: if the network does not take RGB.
    """
    num_features, in_channels, _, _ = weights.conv_shape(first)
    num_growth, *_ = weights.conv_shape(growing)
    unshuffle = math.isqrt(in_channels // 3)
    if in_channels != 3 * unshuffle**2 or 2**doublings % unshuffle:
        raise LayoutError(
            f"{first}.weight takes {in_channels} channels: neither RGB nor pixel-unshuffled RGB"
        )
    return {
        "scale": 2**doublings // unshuffle,
        "num_features": num_features,
        "num_blocks": num_blocks,
        "num_growth": num_growth,
        "unshuffle": unshuffle,
    }


def _body(num_blocks: int, theirs: str) -> dict[str, str]:
    """Return the modules of the body; ``theirs`` has places for block, dense block, convolution."""
    return {
        f"body.{block}.blocks.{dense}.convs.{conv}": theirs.format(block, dense + 1, conv + 1)
        for block in range(num_blocks)
        for dense in range(3)
        for conv in range(5)
    }


LAYOUTS = (
    Layout("BasicSR", ("body.0.rdb1.conv1.weight",), _read_basicsr),
    Layout("ESRGAN", ("RRDB_trunk.0.RDB1.conv1.weight",), _read_esrgan),
    Layout("oldest ESRGAN", ("model.1.sub.0.RDB1.conv1.0.weight",), _read_oldest_esrgan),
)
