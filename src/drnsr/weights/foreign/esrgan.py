"""ESRGAN as its authors saved it: first in numbered layers, later under names."""

from drnsr.networks import RRDBNet
from drnsr.weights.foreign.basicsr import rrdbnet_hyper_parameters
from drnsr.weights.foreign.layout import Given, Layout, LayoutError, Reading, Weights


def _read_new(weights: Weights, _given: Given) -> Reading:
    num_blocks = weights.count(r"RRDB_trunk\.(\d+)\.RDB1\.conv1\.weight")
    # BSRGAN's and RealSR's network of scale 2 has the first one alone.
    doublings = max(0, weights.count(r"upconv(\d)\.weight") - 1)
    return Reading(
        network=RRDBNet,
        hyper_parameters=rrdbnet_hyper_parameters(
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


def _read_oldest(weights: Weights, given: Given) -> Reading:
    # After the trunk, which is layer 1, each doubling is three layers, of which the second is the
    # convolution: 3, 6, ... Then come a convolution, its activation, and the last one.
    num_blocks = weights.count(r"model\.1\.sub\.(\d+)\.RDB1\.conv1\.0\.weight")
    doublings = (weights.count(r"model\.(\d+)\.weight") - 5) // 3
    hyper_parameters = rrdbnet_hyper_parameters(
        weights,
        first="model.0",
        growing="model.1.sub.0.RDB1.conv1.0",
        num_blocks=num_blocks,
        doublings=doublings,
    )
    # A tripling is a single enlargement too, and has the names of a doubling.
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


def _body(num_blocks: int, name: str) -> dict[str, str]:
    return {
        f"body.{block}.blocks.{dense}.convs.{conv}": name.format(block, dense + 1, conv + 1)
        for block in range(num_blocks)
        for dense in range(3)
        for conv in range(5)
    }


LAYOUTS = (
    Layout("ESRGAN", ("RRDB_trunk.0.RDB1.conv1.weight",), _read_new),
    Layout("oldest ESRGAN", ("model.1.sub.0.RDB1.conv1.0.weight",), _read_oldest),
)
