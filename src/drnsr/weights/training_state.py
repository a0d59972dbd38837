"""Networks from training states: the state of a training says how to build its network."""

import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from drnsr.images.pixel_format import PixelFormat
from drnsr.networks import Network
from drnsr.networks.expansion import fold_tensors
from drnsr.weights.building import WeightsError, build_network
from drnsr.weights.foreign.layout import LayoutError
from drnsr.weights.foreign.reader import ForeignModel

FINGERPRINT = "drnsr_fingerprint"
"""The key of the fingerprint of the training that a state belongs to."""

NETWORK = "drnsr_network"
"""The key of the network's architecture and hyper-parameters."""

# Prefix of the network's parameters in the Lightning module.
_PREFIX = "network."


def self_description(network: Network) -> dict[str, Any]:
    """Return what a state stores so that :func:`read_training_state` can build its network."""
    return {
        "architecture": type(network).__name__,
        "hyper_parameters": network.hyper_parameters,
        "pixels": json.dumps(network.pixels.to_json()),
    }


def is_training_state(content: object) -> bool:
    """Return whether the content of a file is the state of a training by drnsr."""
    return isinstance(content, Mapping) and FINGERPRINT in content


def read_training_state(content: Mapping[str, object]) -> ForeignModel:
    """Build the network of a training state, with the moving average (EMA) of its weights, if any.

    Lightning's weight averaging stores the average under the names of the weights themselves.

    Raises:
        LayoutError: if the state is damaged, or of an older version.
    """
    described, state = content.get(NETWORK), content.get("state_dict")
    if not isinstance(described, Mapping):
        raise LayoutError(
            "a training state of an older drnsr, which does not describe its network: take the"
            " run's model.safetensors"
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
        pixels = PixelFormat.from_json(json.loads(str(described["pixels"])))
        network = build_network(str(architecture), dict(arguments), fold_tensors(tensors), pixels)
    except WeightsError as error:
        raise LayoutError(str(error)) from error
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise LayoutError("a training state of an older drnsr, or damaged") from error
    is_average = "averaging_state" in content
    source = "their moving average (EMA)" if is_average else "no moving average"
    program = f"a training of drnsr after step {content.get('global_step')!a}"
    return ForeignModel(network, program, {}, source)
