"""Checkpoints of other programs: what they are, told by names and shapes alone.

One file a layout. To add one: a file with ``LAYOUTS``, and its name here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from drnsr.checkpoints.foreign import (
    basicsr,
    dbpn_official,
    edsr_pytorch,
    esrgan,
    pytorch_vdsr,
    rcan_official,
    torchsr,
)
from drnsr.checkpoints.foreign.layout import Layout, LayoutError, Reading, Weights
from drnsr.networks import HyperParameter, Network

LAYOUTS: tuple[Layout, ...] = (
    *basicsr.LAYOUTS,
    *dbpn_official.LAYOUTS,
    *edsr_pytorch.LAYOUTS,
    *esrgan.LAYOUTS,
    *pytorch_vdsr.LAYOUTS,
    *rcan_official.LAYOUTS,
    *torchsr.LAYOUTS,
)

Given = Mapping[str, HyperParameter]


@dataclass(frozen=True)
class Foreign:
    """A network from another program's weights.

    Attributes:
        network: ready to run.
        layout: whose it was.
        assumed: the hyper-parameters that the file does not say and nobody gave: the published
            model's.
    """

    network: Network
    layout: str
    assumed: Given

    @property
    def description(self) -> str:
        """One line for people."""
        kind, scales = type(self.network).__name__, self.network.descriptor.scales_text
        told = f"{kind} {scales}, weights of {self.layout}"
        if self.assumed:
            values = ", ".join(f"{name}: {value}" for name, value in self.assumed.items())
            told += f"; the file does not say, and taken is what was published: {values}"
        return told


def read_foreign(tensors: Mapping[str, Tensor], given: Given) -> Foreign:
    """Build the network that weights belong to.

    Args:
        tensors: by the names of their file.
        given: hyper-parameters that the file does not say.

    Raises:
        LayoutError: the layout is unknown, a tensor is missing, superfluous or of another shape, or
            something is given that is not to be given.
    """
    layout, weights = _recognise(tensors)
    reading = layout.read(weights)
    hyper_parameters = {**reading.hyper_parameters, **_checked(given, reading)}
    try:
        network = reading.network(**hyper_parameters)
    except (RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise LayoutError(f"no {reading.network.__name__} can be built so: {reason}") from error
    _fill(network, reading)
    assumed = {name: hyper_parameters[name] for name in reading.assumed if name not in given}
    return Foreign(network.eval(), layout.name, assumed)


def _recognise(tensors: Mapping[str, Tensor]) -> tuple[Layout, Weights]:
    """Find the layout, within whatever the names may have been wrapped, such as ``module.``."""
    names = {name: name for name in tensors}
    while names:
        for layout in LAYOUTS:
            if all(mark in names for mark in layout.marks):
                return layout, Weights({short: tensors[name] for short, name in names.items()})
        if len({short.partition(".")[0] for short in names}) > 1:
            break
        names = {short.partition(".")[2]: name for short, name in names.items() if "." in short}
    known = ", ".join(dict.fromkeys(layout.name for layout in LAYOUTS))
    raise LayoutError(
        f"its layout is unknown: {len(tensors)} tensors, the first is"
        f" {next(iter(tensors), None)!r} (known: {known})"
    )


def _checked(given: Given, reading: Reading) -> Given:
    for name, value in given.items():
        if name not in reading.assumed:
            can = ", ".join(reading.assumed) or "nothing"
            raise LayoutError(f"{name} is not to be given here; the file leaves open: {can}")
        default = reading.hyper_parameters[name]
        numbers = isinstance(default, float) and type(value) is int
        if type(value) is not type(default) and not numbers:
            raise LayoutError(f"{name}: {value!r} is not of the kind of {default!r}")
    return given


def _fill(network: Network, reading: Reading) -> None:
    """Copy the weights into the network, one for one."""
    ours = network.state_dict()
    theirs = {name: _their_name(name, reading) for name in ours}
    kind = type(network).__name__
    if missing := [name for name in theirs.values() if name not in reading.weights]:
        raise LayoutError(f"{kind} needs tensors that are not there: {_some(missing)}")
    if superfluous := sorted(set(reading.weights) - set(theirs.values())):
        raise LayoutError(f"{kind} has no place for some tensors: {_some(superfluous)}")
    for name, value in ours.items():
        given = reading.weights[theirs[name]]
        if given.shape != value.shape:
            shapes = f"{tuple(given.shape)}, and {kind} here {tuple(value.shape)}"
            raise LayoutError(f"{theirs[name]} has the shape {shapes}")
        if not given.is_floating_point():
            raise LayoutError(f"{theirs[name]} is of {given.dtype}, and weights are floating point")
    network.load_state_dict({name: reading.weights[theirs[name]] for name in ours})


def _their_name(name: str, reading: Reading) -> str:
    module, _, parameter = name.rpartition(".")
    if module not in reading.modules:
        raise LayoutError(f"there is nothing that could be {reading.network.__name__}'s {module}")
    return f"{reading.modules[module]}.{parameter}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(ascii, names[:3])) + more
