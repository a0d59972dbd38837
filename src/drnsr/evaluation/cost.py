"""What a network costs beside what it gains."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from drnsr.inference.upscaler import Upscaler
from drnsr.networks import Network

_SIDE = 256  # of the timed picture, in LR pixels
_COUNTED_SIDE = 16  # of the counted one: operations are in proportion to pixels


@dataclass(frozen=True)
class Cost:
    """The price of a network.

    Attributes:
        parameters: trained numbers.
        multiply_adds_per_megapixel: of output, in billions.
        seconds_per_megapixel: of output, on this machine at this moment; never compared.
    """

    parameters: int
    multiply_adds_per_megapixel: float
    seconds_per_megapixel: float


def measure_cost(network: Network, scale: int, device: str) -> Cost:
    """Count a network's parameters and operations at a scale, and time it on one picture."""
    channels = network.descriptor.channels
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network.cpu().enlarge(torch.zeros(1, channels, _COUNTED_SIDE, _COUNTED_SIDE), scale)
    upscaler = Upscaler(network, scale, device)
    picture = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    seconds = []
    for _ in range(3):  # the first also warms up
        start = time.perf_counter()
        upscaler(picture)
        seconds.append(time.perf_counter() - start)
    return Cost(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        # torch counts a multiply-add as two operations.
        multiply_adds_per_megapixel=counter.get_total_flops()
        / 2
        / 1e9
        / _megapixels(_COUNTED_SIDE * scale),
        seconds_per_megapixel=min(seconds) / _megapixels(_SIDE * scale),
    )


def _megapixels(side: int) -> float:
    return side**2 / 1e6
