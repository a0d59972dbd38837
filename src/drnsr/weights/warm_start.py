"""Starting a training from the weights of another one, as papers go from scale 2 to 3 and 4."""

from torch import Tensor

from drnsr.errors import UserError
from drnsr.networks import Network


class WarmStartError(UserError):
    """Weights that the network to be trained can do nothing with."""


def warm_start(network: Network, source: Network, name: str) -> str:
    """Copy into ``network`` every layer of ``source`` that it has too, with the same shapes.

    From one scale to another that is all but the upsampler (Lim et al. 2017, section 3.2). The
    other layers keep the values that they were initialised with.

    Args:
        network: is changed in place.
        source: of the same architecture.
        name: what ``source`` is called, for people.

    Returns:
        One line that says what was taken, which layers start anew, and which hyper-parameters
        differ.

    Raises:
        WarmStartError: the architecture is another one, or no layer fits.
    """
    architecture = type(network).__name__
    if type(source) is not type(network):
        raise WarmStartError(
            f"init_from: {name} is of the architecture {type(source).__name__},"
            f" and the model is {architecture}"
        )
    given = source.state_dict()
    taken: dict[str, Tensor] = {}
    anew = []
    for layer, tensors in _layers(network).items():
        if all(key in given and given[key].shape == value.shape for key, value in tensors.items()):
            taken |= {key: given[key] for key in tensors}
        else:
            anew.append(layer)
    differing = [
        f"{key} {source.hyper_parameters[key]} instead of {value}"
        for key, value in network.hyper_parameters.items()
        if source.hyper_parameters[key] != value
    ]
    described = f"init_from: {name}"
    if differing:
        described += f" ({architecture} of {', '.join(differing)})"
    if not taken:
        raise WarmStartError(f"{described} has no layer with the shapes of the model's")
    network.load_state_dict(taken, strict=False)
    exceptions = f" but {', '.join(anew)}, which start anew" if anew else ""
    return f"{described}: all layers taken{exceptions}"


def _layers(network: Network) -> dict[str, dict[str, Tensor]]:
    """The tensors of each layer, under their full names: a weight is of no use without its bias."""
    layers: dict[str, dict[str, Tensor]] = {}
    for key, value in network.state_dict().items():
        layers.setdefault(key.rpartition(".")[0], {})[key] = value
    return layers
