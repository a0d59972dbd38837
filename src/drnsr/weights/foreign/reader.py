"""Building a network from another program's checkpoint, recognised by names and shapes alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drnsr.networks import HyperParameter, Network
from drnsr.weights.building import WeightsError, check_weights, expected_shapes
from drnsr.weights.foreign import LAYOUTS
from drnsr.weights.foreign.layout import Given, LayoutError, Reading, abbreviate
from drnsr.weights.foreign.recognition import recognise
from drnsr.weights.foreign.state_dicts import StateDict, is_average
from drnsr.weights.foreign.super_image import is_config_of

# Programs differ in the range and mean of their inputs, and may be unknown here: a user can always
# set these.
_ALWAYS_OPEN = ("img_range", "rgb_mean")


@dataclass(frozen=True)
class ForeignModel:
    """A network with another program's weights.

    Attributes:
        network: in evaluation mode.
        program: the program that made the file.
        assumed: the hyper-parameters that neither the file nor the user determines, with the
            values of the published model.
        source: where in the file the weights are, and what was ignored; empty if there is nothing
            else in the file.
    """

    network: Network
    program: str
    assumed: Given
    source: str = ""

    @property
    def description(self) -> str:
        """One line for the user."""
        kind, scales = type(self.network).__name__, self.network.descriptor.scales_text
        description = f"{kind} {scales}, weights of {self.program}"
        if self.source:
            description += f" ({self.source})"
        if self.assumed:
            values = ", ".join(f"{name}: {value}" for name, value in self.assumed.items())
            description += f"; not in the file, assumed as published: {values}"
        return description


def read_foreign(
    state_dicts: Sequence[StateDict], given: Given, config: Mapping[str, object] | None = None
) -> ForeignModel:
    """Build the network that weights belong to.

    Args:
        state_dicts: candidates, the best ones first.
        given: hyper-parameters that the file does not determine.
        config: content of a ``config.json`` beside the file.

    Raises:
        LayoutError: if the layout is unknown; if a tensor is missing, superfluous, of another shape
            or not finite; or if ``given`` has a hyper-parameter that the file determines.
    """
    recognised = recognise(state_dicts, LAYOUTS)
    layout = recognised.layout
    try:
        check_weights(recognised.weights)
    except WeightsError as error:
        raise LayoutError(str(error)) from error
    program, values = layout.program, given
    reading = layout.read(recognised.weights, given)
    if config is not None and layout.super_image and is_config_of(reading, config):
        program, values = "super-image", {**layout.super_image(config), **given}
        reading = layout.read(recognised.weights, values)
    checked = _checked(values, reading)
    hyper_parameters = reading.hyper_parameters | {
        key: value for key, value in checked.items() if key in reading.hyper_parameters
    }
    network = _build(reading, hyper_parameters)
    assumed = {key: hyper_parameters.get(key, 0) for key in reading.assumed if key not in checked}
    return ForeignModel(network, program, assumed, _source(recognised.path, recognised.ignored))


def _source(path: str, ignored: tuple[str, ...]) -> str:
    """Describe where in its file a network was found."""
    parts = []
    if path:
        average = any(map(is_average, path.split(".")))
        parts.append(f"taken from {path!a}{', a moving average (EMA)' if average else ''}")
    if ignored:
        parts.append(f"ignored: {abbreviate(list(ignored))}")
    return "; ".join(parts)


def _checked(given: Given, reading: Reading) -> dict[str, HyperParameter]:
    """Return the given hyper-parameters, converted to the types that the network takes."""
    always = [name for name in _ALWAYS_OPEN if name in reading.hyper_parameters]
    settable = list(dict.fromkeys([*reading.assumed, *always]))
    checked = {}
    for name, value in given.items():
        if name not in settable:
            names = ", ".join(settable) or "none"
            raise LayoutError(
                f"{name} cannot be set, because the file determines it; can be set: {names}"
            )
        checked[name] = _converted(name, value, reading.hyper_parameters.get(name, 0))
    return checked


def _converted(name: str, value: HyperParameter, default: HyperParameter) -> HyperParameter:
    """Convert a value to the type of the default: an integer to a float, lists by element."""
    if isinstance(default, list) and isinstance(value, list) and len(value) > 0:
        return [_converted(name, each, default[0]) for each in value]  # type: ignore[return-value]
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default) or (isinstance(value, float) and not math.isfinite(value)):
        raise LayoutError(f"{name}: {value!a} is not a value like {default!r}")
    if name == "img_range" and isinstance(value, float) and value <= 0:
        raise LayoutError(f"{name}: {value!r} is not above 0")
    return value


def _build(reading: Reading, hyper_parameters: dict[str, HyperParameter]) -> Network:
    """Build the network, and copy each tensor into it."""
    architecture = reading.network.__name__
    try:
        shapes = expected_shapes(reading.network, hyper_parameters, len(reading.weights))
    except (RuntimeError, TypeError, ValueError, ArithmeticError) as error:
        reason = str(error).splitlines()[0]
        raise LayoutError(f"cannot build {architecture}: {reason}") from error
    theirs = {name: _their_name(name, reading) for name in shapes}
    _check_tensors(reading, {theirs[name]: shape for name, shape in shapes.items()})
    network = reading.network(**hyper_parameters)
    network.load_state_dict({name: reading.weights[theirs[name]] for name in shapes})
    try:
        check_weights({theirs[name]: value for name, value in network.state_dict().items()})
    except WeightsError as error:  # finite in the file, but too large for fp32
        raise LayoutError(str(error)) from error
    return network.eval()


def _check_tensors(reading: Reading, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise LayoutError unless there are exactly the tensors of these shapes, floating point."""
    architecture, weights = reading.network.__name__, reading.weights
    if missing := [name for name in shapes if name not in weights]:
        raise LayoutError(f"{architecture} needs tensors that are missing: {abbreviate(missing)}")
    if superfluous := sorted(set(weights) - set(shapes)):
        raise LayoutError(f"tensors that {architecture} does not have: {abbreviate(superfluous)}")
    for name, shape in shapes.items():
        tensor = weights[name]
        if tuple(tensor.shape) != shape:
            raise LayoutError(
                f"{name} has the shape {tuple(tensor.shape)}, but {architecture} needs {shape}"
            )
        if not tensor.is_floating_point():
            raise LayoutError(f"{name} is {tensor.dtype}, but weights are floating point")


def _their_name(name: str, reading: Reading) -> str:
    """Return the file's name for one of our tensors."""
    module, _, parameter = name.rpartition(".")
    if module not in reading.modules:
        raise LayoutError(f"no tensor corresponds to {reading.network.__name__}'s {module}")
    return f"{reading.modules[module]}.{parameter}"
