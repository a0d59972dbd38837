"""The size of a network: the same on every machine."""

from copy import deepcopy

import torch

from drnsr.networks.base import Network

# The output for which papers state multiply-adds (such as Ahn et al. 2018, CARN).
_STATED_OUTPUT = (1280, 720)

_COUNTED_SIDE = 16  # of the picture whose operations are counted: a sample


def parameter_count(network: Network) -> int:
    """Return the number of trained parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def multiply_adds_per_megapixel(network: Network, scale: int) -> float:
    """Count the multiply-adds for a megapixel of output, in billions.

    The network stays as it is, with its device and its random numbers.
    """
    from torch.utils.flop_counter import FlopCounterMode

    sample = deepcopy(network).cpu().eval()
    lr = torch.zeros(1, network.descriptor.channels, _COUNTED_SIDE, _COUNTED_SIDE)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        sample.upscale(lr, scale)
    # torch counts a multiply-add as two operations.
    operations: int = counter.get_total_flops()
    return operations / 2 / 1e9 / ((_COUNTED_SIDE * scale) ** 2 / 1e6)


def describe_size(network: Network, scale: int) -> str:
    """Describe a network in words: its parameters and multiply-adds."""
    width, height = _STATED_OUTPUT
    operations = multiply_adds_per_megapixel(network, scale) * width * height / 1e6
    return (
        f"{parameter_count(network):,} parameters, {operations:,.3g} G multiply-adds"
        f" for {width} x {height} pixels"
    )
