"""Building the network that a file asks for, of weights that are fit to run."""

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor

from drnsr.networks import ARCHITECTURES, LARGEST_HYPER_PARAMETER, HyperParameter, Network

# How often a part of a network is repeated in its depth.
_DEPTHS = ("num_groups", "num_blocks", "num_layers", "num_stages")


# Some networks use a few of their weights twice.
_MOST_SHARED = 4
_SLACK = 1 << 20  # bytes; of a small file


class WeightsError(ValueError):
    """Weights that no network can be made of; the message says why, but of no file."""


def network_of(
    architecture: str, hyper_parameters: dict[str, HyperParameter], tensors: Mapping[str, Tensor]
) -> Network:
    """A network with its weights, ready to run.

    Args:
        architecture: a name in :data:`drnsr.networks.ARCHITECTURES`.
        hyper_parameters: the arguments that build it.
        tensors: the weights, under our names.

    Raises:
        WeightsError: there is no such network, the weights are not its own, or not finite.
    """
    if architecture not in ARCHITECTURES:
        raise WeightsError(f"architecture {architecture!a} is unknown here")
    check_weights(tensors)
    build = ARCHITECTURES[architecture]
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    try:
        if expected_shapes(build, hyper_parameters, len(tensors)) != shapes:
            raise ValueError("its weights are not those of its hyper-parameters")
        network = build(**hyper_parameters)
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError(f"not a {architecture} of drnsr: {reason}") from error
    network.load_state_dict(dict(tensors))
    return network.eval()


def expected_shapes(
    build: type[Network], hyper_parameters: Mapping[str, HyperParameter], tensors: int
) -> dict[str, tuple[int, ...]]:
    """The shapes that a network's weights have, found out without the memory for them.

    Args:
        build: its class.
        hyper_parameters: its arguments.
        tensors: how many there are. Building takes time for each block, even without memory, and a
            network has tensors in each.

    Raises:
        ValueError: a file of this many tensors holds no such network.
        TypeError, RuntimeError, ArithmeticError: there is no such network.
    """
    numbers = {name: value for name, value in hyper_parameters.items() if isinstance(value, int)}
    blocks = prod(value for name, value in numbers.items() if name in _DEPTHS)
    if blocks > tensors or max(numbers.values(), default=0) > LARGEST_HYPER_PARAMETER:
        raise ValueError("its weights are not those of its hyper-parameters")
    with torch.device("meta"):  # takes no memory, whatever the file says
        state = build(**hyper_parameters).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def check_weights(tensors: Mapping[str, Tensor]) -> None:
    """Look whether weights are fit to run.

    Raises:
        WeightsError: one is NaN or infinite, which is named; or the same numbers stand for so many
            tensors that a network of them would be many times as large as the file.
    """
    stored = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in tensors.values()
    }
    size = sum(tensor.nbytes for tensor in tensors.values())
    if size > _MOST_SHARED * sum(stored.values()) + _SLACK:
        raise WeightsError(f"its {sum(stored.values())} bytes of weights would become {size}")
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise WeightsError(
                f"tensor {name!a} holds NaN or infinite weights; no picture comes of them: take an"
                " earlier checkpoint"
            )
