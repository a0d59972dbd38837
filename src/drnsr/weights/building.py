"""Building the network that a file describes, after checks of its weights."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from drnsr.images.pixel_format import PixelFormat
from drnsr.networks import ARCHITECTURES, HyperParameter, Network
from drnsr.networks.base import out_of_range

# Some networks use a few of their weights twice.
_MAX_SHARING = 4
_SLACK = 1 << 20  # bytes; for small files


_MISMATCH = "its weights are not those of its hyper-parameters"


class WeightsError(ValueError):
    """Weights that fit no network; the message says why, without the file's name."""


def build_network(
    architecture: str,
    hyper_parameters: dict[str, HyperParameter],
    tensors: Mapping[str, Tensor],
    pixels: PixelFormat | None = None,
) -> Network:
    """Return a network with its weights, in evaluation mode.

    Args:
        architecture: a name in :data:`drnsr.networks.ARCHITECTURES`.
        hyper_parameters: its arguments.
        tensors: the weights, under our names.
        pixels: what it was trained on; None if the file does not say it.

    Raises:
        WeightsError: if there is no such network, or the weights are not its own or not finite, or
            the pixels have other channels.
    """
    if architecture not in ARCHITECTURES:
        raise WeightsError(f"architecture {architecture!a} is unknown")
    check_weights(tensors)
    network_class = ARCHITECTURES[architecture]
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    try:
        if expected_shapes(network_class, hyper_parameters, len(tensors)) != shapes:
            raise ValueError(_MISMATCH)
        network = network_class(**hyper_parameters)
        if pixels is not None and pixels.channels != network.pixels.channels:
            raise ValueError(f"its pixels have {pixels.channels} channels")
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError(f"not a {architecture} of drnsr: {reason}") from error
    network.load_state_dict(dict(tensors))
    network.pixels = pixels or network.pixels
    return network.eval()


def expected_shapes(
    network_class: type[Network],
    hyper_parameters: Mapping[str, HyperParameter],
    num_tensors: int,
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's weights, without allocating memory for them.

    Args:
        network_class: the network's class.
        hyper_parameters: its arguments.
        num_tensors: the number of tensors in the file. It bounds the time that building takes: a
            damaged file can ask for any number of layers.

    Raises:
        ValueError: if the network has far more parameters than there are tensors.
        TypeError, RuntimeError, ArithmeticError: if there is no such network.
    """
    if out_of_range(hyper_parameters):
        raise ValueError(_MISMATCH)
    with (
        torch.device("meta"),
        _limit_parameters(2 * num_tensors + 100),
    ):  # the meta device allocates no memory
        state = network_class(**hyper_parameters).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


@contextmanager
def _limit_parameters(limit: int) -> Iterator[None]:
    """Raise ValueError when this thread creates modules with more parameters than ``limit``."""
    thread, count = threading.get_ident(), 0

    def check(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> None:
        nonlocal count
        if threading.get_ident() == thread and parameter is not None:
            count += 1
            if count > limit:
                raise ValueError(_MISMATCH)

    handle = register_module_parameter_registration_hook(check)
    try:
        yield
    finally:
        handle.remove()


def check_weights(tensors: Mapping[str, Tensor]) -> None:
    """Check that weights are finite, and not many times as large as what the file stores.

    Raises:
        WeightsError: if a tensor holds NaN or infinite values, with its name; or if so many tensors
            share their storage that the network would be many times as large as the file.
    """
    stored = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in tensors.values()
    }
    size = sum(tensor.nbytes for tensor in tensors.values())
    if size > _MAX_SHARING * sum(stored.values()) + _SLACK:
        raise WeightsError(f"its {sum(stored.values())} bytes of weights would become {size}")
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise WeightsError(
                f"tensor {name!a} holds NaN or infinite weights, which give no picture: take an"
                " earlier checkpoint"
            )
