"""Checkpoints of other programs: what they are, told by names and shapes alone.

One file a layout. To add one: a file with ``LAYOUTS``, and its name here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drnsr.networks import HyperParameter, Network
from drnsr.weights.building import WeightsError, check_weights, expected_shapes
from drnsr.weights.foreign import (
    basicsr,
    dbpn_official,
    edsr_pytorch,
    esrgan,
    pytorch_vdsr,
    rcan_official,
    super_image,
    torchsr,
)
from drnsr.weights.foreign.layout import Given, Layout, LayoutError, Reading, some_names
from drnsr.weights.foreign.recognition import recognise
from drnsr.weights.foreign.state_dicts import StateDict, is_average

LAYOUTS: tuple[Layout, ...] = (
    *basicsr.LAYOUTS,
    *dbpn_official.LAYOUTS,
    *edsr_pytorch.LAYOUTS,
    *esrgan.LAYOUTS,
    *pytorch_vdsr.LAYOUTS,
    *rcan_official.LAYOUTS,
    *torchsr.LAYOUTS,
)

# Programs differ in what they feed a network with, and a file may be for one that we do not know.
_ALWAYS_OPEN = ("img_range", "rgb_mean")


@dataclass(frozen=True)
class Foreign:
    """A network from another program's weights.

    Attributes:
        network: ready to run.
        layout: whose it was.
        assumed: the hyper-parameters that the file does not say and nobody gave: the published
            model's.
        source: where in the file the weights are, and what was left aside; empty where there is
            nothing else.
    """

    network: Network
    layout: str
    assumed: Given
    source: str = ""

    @property
    def description(self) -> str:
        """One line for people."""
        kind, scales = type(self.network).__name__, self.network.descriptor.scales_text
        told = f"{kind} {scales}, weights of {self.layout}"
        if self.source:
            told += f" ({self.source})"
        if self.assumed:
            values = ", ".join(f"{name}: {value}" for name, value in self.assumed.items())
            told += f"; the file does not say, and taken is what was published: {values}"
        return told


def read_foreign(
    state_dicts: Sequence[StateDict], given: Given, config: Mapping[str, object] | None = None
) -> Foreign:
    """Build the network that weights belong to.

    Args:
        state_dicts: by the names of their file; the best candidates first.
        given: hyper-parameters that the file does not say.
        config: what a ``config.json`` beside the file holds.

    Raises:
        LayoutError: the layout is unknown, a tensor is missing, superfluous, of another shape or
            not finite, or something is given that is not to be given.
    """
    found = recognise(state_dicts, LAYOUTS)
    try:
        check_weights(found.weights)
    except WeightsError as error:
        raise LayoutError(str(error)) from error
    name = found.layout.name
    known: Given = {}
    reading = found.layout.read(found.weights, given)
    if config is not None and super_image.is_config_of(reading, config):
        name, known = "super-image", super_image.known(reading, config)
        reading = found.layout.read(found.weights, {**known, **given})
    checked = _checked({**known, **given}, reading)
    hyper_parameters = reading.hyper_parameters | {
        key: value for key, value in checked.items() if key in reading.hyper_parameters
    }
    network = _built(reading, hyper_parameters)
    assumed = {key: hyper_parameters.get(key, 0) for key in reading.assumed if key not in checked}
    return Foreign(network, name, assumed, _source(found.where, found.left))


def _source(where: str, left: tuple[str, ...]) -> str:
    told = []
    if where:
        average = any(map(is_average, where.split(".")))
        told.append(f"taken from {where!a}{', a moving average (EMA)' if average else ''}")
    if left:
        told.append(f"left aside: {some_names(list(left))}")
    return "; ".join(told)


def _checked(given: Given, reading: Reading) -> dict[str, HyperParameter]:
    always = [name for name in _ALWAYS_OPEN if name in reading.hyper_parameters]
    left_open = list(dict.fromkeys([*reading.assumed, *always]))
    checked = {}
    for name, value in given.items():
        if name not in left_open:
            can = ", ".join(left_open) or "nothing"
            raise LayoutError(f"{name} is not to be given here; the file leaves open: {can}")
        checked[name] = _like(name, value, reading.hyper_parameters.get(name, 0))
    return checked


def _like(name: str, value: HyperParameter, default: HyperParameter) -> HyperParameter:
    """A value of the kind of another one: a whole number may stand for any number."""
    if isinstance(default, list) and isinstance(value, list) and len(value) > 0:
        return [_like(name, each, default[0]) for each in value]  # type: ignore[return-value]
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default) or (isinstance(value, float) and not math.isfinite(value)):
        raise LayoutError(f"{name}: {value!a} is not of the kind of {default!r}")
    if name == "img_range" and isinstance(value, float) and value <= 0:
        raise LayoutError(f"{name}: {value!r} is not above 0")
    return value


def _built(reading: Reading, hyper_parameters: dict[str, HyperParameter]) -> Network:
    """The network with the weights copied into it, one for one."""
    kind = reading.network.__name__
    try:
        expected = expected_shapes(reading.network, hyper_parameters, len(reading.weights))
    except (RuntimeError, TypeError, ValueError, ArithmeticError) as error:
        reason = str(error).splitlines()[0]
        raise LayoutError(f"no {kind} can be built so: {reason}") from error
    theirs = {name: _their_name(name, reading) for name in expected}
    if missing := [name for name in theirs.values() if name not in reading.weights]:
        raise LayoutError(f"{kind} needs tensors that are not there: {some_names(missing)}")
    if superfluous := sorted(set(reading.weights) - set(theirs.values())):
        raise LayoutError(f"{kind} has no place for some tensors: {some_names(superfluous)}")
    for name, shape in expected.items():
        tensor = reading.weights[theirs[name]]
        if tuple(tensor.shape) != shape:
            shapes = f"{tuple(tensor.shape)}, and {kind} here {shape}"
            raise LayoutError(f"{theirs[name]} has the shape {shapes}")
        if not tensor.is_floating_point():
            raise LayoutError(
                f"{theirs[name]} is of {tensor.dtype}, and weights are floating point"
            )
    network = reading.network(**hyper_parameters)
    network.load_state_dict({name: reading.weights[theirs[name]] for name in expected})
    try:
        check_weights({theirs[name]: value for name, value in network.state_dict().items()})
    except WeightsError as error:  # finite in the file, and too large for fp32
        raise LayoutError(str(error)) from error
    return network.eval()


def _their_name(name: str, reading: Reading) -> str:
    module, _, parameter = name.rpartition(".")
    if module not in reading.modules:
        raise LayoutError(f"there is nothing that could be {reading.network.__name__}'s {module}")
    return f"{reading.modules[module]}.{parameter}"
