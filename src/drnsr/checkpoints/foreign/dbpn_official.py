"""DBPN as its authors save it, dense or recurrent; stages count from 1."""

from drnsr.checkpoints.foreign.layout import Layout, LayoutError, Reading, Weights
from drnsr.networks import DBPN, HyperParameter, RecurrentDBPN

# The side of the kernels between LR and HR tells the scale.
_SCALES = {6: 2, 8: 4, 12: 8}


def _read(weights: Weights) -> Reading:
    num_shallow_features, *_ = weights.convolution("feat0.conv")
    num_features, *_ = weights.convolution("feat1.conv")
    *_, kernel = weights.convolution("up1.up_conv1.deconv")
    if kernel not in _SCALES:
        raise LayoutError(f"up1.up_conv1.deconv.weight has a kernel of {kernel}, of no scale")
    num_stages = weights.count(r"up(\d+)\.up_conv1\.deconv\.weight") - 1
    hyper_parameters: dict[str, HyperParameter] = {
        "scale": _SCALES[kernel],
        "num_features": num_features,
        "num_shallow_features": num_shallow_features,
        "num_stages": num_stages,
    }
    # The dense one makes its output from all stages, the recurrent one from the last of each run.
    _, joined, _, _ = weights.convolution("output_conv.conv")
    recurrent = joined != num_stages * num_features
    if recurrent:
        hyper_parameters["num_recurrences"] = joined // num_features
    return Reading(
        network=RecurrentDBPN if recurrent else DBPN,
        hyper_parameters=hyper_parameters,
        assumed=(),
        modules=_modules(num_stages),
        weights=weights,
    )


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
    """One up- or down-projection; ``joining`` if it begins with more than one input."""
    there, back = ("deconv", "conv") if way == "up" else ("conv", "deconv")
    layers = {
        way: (f"{way}_conv1", there),
        "back": (f"{way}_conv2", back),
        f"{way}_error": (f"{way}_conv3", there),
    }
    if joining:
        layers["squeeze"] = ("conv", "conv")
    modules = {}
    for name, (block, convolution) in layers.items():
        modules[f"projections.{ours}.{name}.0"] = f"{theirs}.{block}.{convolution}"
        modules[f"projections.{ours}.{name}.1"] = f"{theirs}.{block}.act"
    return modules


LAYOUTS = (Layout("DBPN", ("up1.up_conv1.deconv.weight", "output_conv.conv.weight"), _read),)
