"""Starting a training from the weights of another one, as papers do from scale 2 to 3 and 4."""

from collections.abc import Mapping

from torch import Tensor

from drnsr.errors import UserError
from drnsr.networks import HyperParameter, Network


class WarmStartError(UserError):
    """Weights that do not fit the network to be trained."""


def warm_start(network: Network, source: Network, name: str) -> str:
    """Copy every layer of ``source`` into ``network`` that has the same name and shapes there.

    Between networks for different scales these are all layers but the upsampler (Lim et al. 2017,
    section 3.2). The other layers keep their initial values.

    Between networks for other channels the first and last layers are averaged over the channels of
    ``source``: for a picture whose bands are equal, each band of the output is then the mean of the
    channels that ``source`` makes of it.

    Args:
        network: changed in place.
        source: a network of the same architecture.
        name: name of ``source`` for messages.

    Returns:
        One line that says which layers were not copied or were averaged, and which hyper-parameters
        differ.

    Raises:
        WarmStartError: if the architecture is another one, or no layer fits.
    """
    architecture = type(network).__name__
    if type(source) is not type(network):
        raise WarmStartError(
            f"init_from: {name} has the architecture {type(source).__name__},"
            f" but the model is {architecture}"
        )
    available, averaged = _for_channels(source, network)
    copied: dict[str, Tensor] = {}
    missing = []
    for layer, tensors in _layers(network).items():
        if _has_all(available, tensors):
            copied |= {key: available[key] for key in tensors}
        else:
            missing.append(layer)
    differing = [
        f"{key} {_short(source.hyper_parameters[key])} instead of {_short(value)}"
        for key, value in network.hyper_parameters.items()
        if source.hyper_parameters[key] != value
    ]
    described = f"init_from: {name}"
    if differing:
        described += f" ({architecture} of {', '.join(differing)})"
    if not copied:
        raise WarmStartError(f"{described} has no layer with the shapes of the model's")
    network.load_state_dict(copied, strict=False)
    exceptions = f" but {', '.join(missing)}, which start anew" if missing else ""
    changed = [layer for layer in averaged if layer not in missing]
    if changed:
        channels = source.descriptor.channels
        how = f"averaged over the {channels} channels" if channels > 1 else "repeated"
        exceptions += f"; {how}: {', '.join(changed)}"
    return f"{described}: all layers taken{exceptions}"


def _short(value: HyperParameter) -> HyperParameter:
    """Return a list with few digits, for a message."""
    return [round(each, 4) for each in value] if isinstance(value, list) else value


def _for_channels(source: Network, network: Network) -> tuple[dict[str, Tensor], list[str]]:
    """Return the weights of a network for the channels of another, and the layers that changed."""
    weights = source.state_dict()
    before, after = source.descriptor.channels, network.descriptor.channels
    averaged = []
    for key, wanted in network.state_dict().items() if before != after else ():
        if key not in weights or weights[key].shape == wanted.shape:
            continue
        for axis in range(min(2, wanted.dim())):
            part, rest = divmod(weights[key].shape[axis], before)
            shape = list(weights[key].shape)
            shape[axis] = after * part
            if rest == 0 and shape == list(wanted.shape):
                # The channels are the slower index, as in torch's pixel shuffle and unshuffle.
                mean = weights[key].unflatten(axis, (before, part)).mean(axis)
                spread = mean.repeat([after if each == axis else 1 for each in range(mean.dim())])
                weights[key] = spread * (before / after) if axis == 1 else spread
                averaged.append(key.rpartition(".")[0])
                break
    return weights, list(dict.fromkeys(averaged))


def _has_all(available: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> bool:
    """Return whether all tensors are available with their shapes."""
    return all(
        key in available and available[key].shape == value.shape for key, value in tensors.items()
    )


def _layers(network: Network) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of each layer by full name: a weight is only copied with its bias."""
    layers: dict[str, dict[str, Tensor]] = {}
    for key, value in network.state_dict().items():
        layers.setdefault(key.rpartition(".")[0], {})[key] = value
    return layers
