"""DBPN as its authors save it, dense or recurrent; its stages count from 1."""

from drnsr.networks import HyperParameter
from drnsr.networks.dbpn import DBPN, RecurrentDBPN
from drnsr.weights.foreign.layout import Given, Layout, LayoutError, Reading, Weights

# The scale follows from the side of the kernels between LR and HR.
_SCALE_OF_KERNEL = {6: 2, 8: 4, 12: 8}


def _read(weights: Weights, given: Given) -> Reading:
    num_shallow_features, *_ = weights.conv_shape("feat0.conv")
    num_features, *_ = weights.conv_shape("feat1.conv")
    *_, kernel = weights.conv_shape("up1.up_conv1.deconv")
    if kernel not in _SCALE_OF_KERNEL:
        raise LayoutError(
            f"up1.up_conv1.deconv.weight has a kernel of {kernel}, which no scale has"
        )
    num_stages = weights.count(r"up(\d+)\.up_conv1\.deconv\.weight") - 1
    hyper_parameters: dict[str, HyperParameter] = {
        "scale": _SCALE_OF_KERNEL[kernel],
        "num_features": num_features,
        "num_shallow_features": num_shallow_features,
        "num_stages": num_stages,
    }
    _, joined, _, _ = weights.conv_shape("output_conv.conv")
    recurrences, is_open = _recurrences(joined // num_features, num_stages, given)
    if recurrences:
        hyper_parameters["num_recurrences"] = recurrences
    return Reading(
        network=RecurrentDBPN if recurrences else DBPN,
        hyper_parameters=hyper_parameters,
        assumed=("num_recurrences",) if is_open else (),
        modules=_modules(num_stages),
        weights=weights,
    )


def _recurrences(joined: int, num_stages: int, given: Given) -> tuple[int, bool]:
    """Return the number of recurrences, 0 for the dense network; and whether it is a guess.

    The tail of the dense network takes the features of all stages, that of the recurrent one the
    last features of each run. If there are as many runs as stages, both have the same names and
    shapes.

    Raises:
        LayoutError: if another number was given.
    """
    if joined != num_stages:
        return joined, False
    number = given.get("num_recurrences", 0)
    if number not in (0, joined):
        raise LayoutError(f"num_recurrences: {number!a} is neither 0 (dense) nor {joined}")
    return (joined if number else 0), True


def _modules(num_stages: int) -> dict[str, str]:
    modules = {
        **{"shallow.0": "feat0.conv", "shallow.1": "feat0.act"},
        **{"shallow.2": "feat1.conv", "shallow.3": "feat1.act"},
        "tail": "output_conv.conv",
    }
    for stage in range(num_stages):
        modules |= _projection(f"up.{stage}", f"up{stage + 1}", "up", joining=stage > 1)
    for stage in range(num_stages - 1):
        modules |= _projection(f"down.{stage}", f"down{stage + 1}", "down", joining=stage > 0)
    return modules


def _projection(ours: str, theirs: str, way: str, *, joining: bool) -> dict[str, str]:
    """Return the modules of an up- or down-projection; ``joining`` if it has several inputs."""
    forward, back = ("deconv", "conv") if way == "up" else ("conv", "deconv")
    layers = {
        way: (f"{way}_conv1", forward),
        "back": (f"{way}_conv2", back),
        f"{way}_error": (f"{way}_conv3", forward),
    }
    if joining:
        layers["squeeze"] = ("conv", "conv")
    modules = {}
    for name, (block, convolution) in layers.items():
        modules[f"projections.{ours}.{name}.0"] = f"{theirs}.{block}.{convolution}"
        modules[f"projections.{ours}.{name}.1"] = f"{theirs}.{block}.act"
    return modules


LAYOUTS = (Layout("DBPN", ("up1.up_conv1.deconv.weight", "output_conv.conv.weight"), _read),)
