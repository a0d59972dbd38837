"""Trainings' own states as models: a state says which network it is of."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from drnsr.networks import Network
from drnsr.weights.building import WeightsError, network_of
from drnsr.weights.foreign import Foreign
from drnsr.weights.foreign.layout import LayoutError

FINGERPRINT = "drnsr_fingerprint"
"""The key of what a state is the state of."""

NETWORK = "drnsr_network"
"""The key of what builds the network again."""

# The network's name in the Lightning module.
_PREFIX = "network."


def self_description(network: Network) -> dict[str, Any]:
    """What a state must hold so that :func:`read_training_state` can build its network."""
    return {
        "architecture": type(network).__name__,
        "hyper_parameters": network.hyper_parameters,
    }


def is_training_state(content: object) -> bool:
    """Whether what a file holds is the state of a training of ours."""
    return isinstance(content, Mapping) and FINGERPRINT in content


def read_training_state(content: Mapping[str, object]) -> Foreign:
    """The network that a state is of, with the moving average (EMA) of its weights if there is one.

    Lightning's weight averaging puts the average where the weights themselves would be.

    Raises:
        LayoutError: it is damaged, or of an older version.
    """
    described, state = content.get(NETWORK), content.get("state_dict")
    if not isinstance(described, Mapping):
        raise LayoutError(
            "a training state of an older drnsr, which does not say its network: take the run's"
            " model.safetensors"
        )
    architecture, arguments = described.get("architecture"), described.get("hyper_parameters")
    if not isinstance(state, Mapping) or not isinstance(arguments, Mapping):
        raise LayoutError("a training state of drnsr, but damaged")
    tensors = {
        str(name).removeprefix(_PREFIX): value
        for name, value in state.items()
        if str(name).startswith(_PREFIX) and isinstance(value, Tensor)
    }
    try:
        network = network_of(str(architecture), dict(arguments), tensors)
    except WeightsError as error:
        raise LayoutError(str(error)) from error
    is_average = "averaging_state" in content
    source = "their moving average (EMA)" if is_average else "no moving average"
    layout = f"a training of drnsr after step {content.get('global_step')!a}"
    return Foreign(network, layout, {}, source)
