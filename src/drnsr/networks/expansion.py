"""Kernels that are trained as a sum of a kernel and a product of three, and applied as one.

This is structural re-parameterisation, as in the Diverse Branch Block (Ding et al. 2021, arXiv
2103.13425) and in ECBSR (Zhang et al. 2021, "Edge-oriented Convolution Block for Real-time Super
Resolution on Mobile Devices"). There is no activation between the three convolutions, so that a
network with expanded kernels computes nothing that one with plain kernels could not; but it learns
otherwise.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from drnsr.networks.base import Network

# How torch names the tensors of an expanded kernel in a state: the kernel itself, and its factors.
_ORIGINAL = ".parametrizations.weight.original"
_FACTORS = ".parametrizations.weight.0."


class ExpandedKernel(nn.Module):
    """Adds the kernel of three convolutions in a row, 1 x 1, k x k and 1 x 1, to a kernel.

    The last of them starts at zero, so that the sum starts as the kernel itself.

    Args:
        kernel: (O, I, k, k), of a convolution in one group.
        expansion: the features between the three convolutions, in multiples of I.
    """

    def __init__(self, kernel: Tensor, expansion: int) -> None:
        super().__init__()
        outputs, inputs, *sides = kernel.shape
        features = expansion * inputs
        self.first = nn.Parameter(kernel.new_empty(features, inputs))
        self.middle = nn.Parameter(kernel.new_empty(features, features, *sides))
        self.last = nn.Parameter(kernel.new_zeros(outputs, features))
        for each in (self.first, self.middle):
            nn.init.kaiming_uniform_(each, a=5**0.5)  # as torch's convolutions

    def forward(self, kernel: Tensor) -> Tensor:
        """(O, I, k, k) to the same."""
        with torch.autocast(kernel.device.type, enabled=False):
            return kernel + _product(self.first, self.middle, self.last)


def expand_kernels(network: Network, expansion: int) -> None:
    """Expand the kernels of a network but the first and the last one, and those of 1 x 1.

    Args:
        network: changed in place; it computes the same until it is trained.
        expansion: see :class:`ExpandedKernel`.
    """
    for convolution in _inner_convolutions(network):
        kernel = ExpandedKernel(convolution.weight, expansion)
        parametrize.register_parametrization(convolution, "weight", kernel)


def fold_kernels(network: Network) -> Network:
    """Return a network with plain kernels that computes the same: itself, if none is expanded."""
    if not any(isinstance(each, ExpandedKernel) for each in network.modules()):
        return network
    folded = type(network)(**network.hyper_parameters)
    folded.load_state_dict(fold_tensors(network.state_dict()))
    folded.pixels = network.pixels
    return folded


def fold_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the network that :func:`fold_kernels` gives, by name.

    Args:
        tensors: the state of a network, of which some kernels may be expanded.
    """
    plain = {name: each for name, each in tensors.items() if ".parametrizations." not in name}
    for name, kernel in tensors.items():
        if name.endswith(_ORIGINAL):
            layer = name.removesuffix(_ORIGINAL)
            factors = (tensors[f"{layer}{_FACTORS}{each}"] for each in ("first", "middle", "last"))
            plain[f"{layer}.weight"] = kernel + _product(*factors)
    return plain


def _product(first: Tensor, middle: Tensor, last: Tensor) -> Tensor:
    """Return the kernel of the three convolutions in a row."""
    wide = torch.einsum("abij,bc->acij", middle, first)
    return torch.einsum("oa,acij->ocij", last, wide)


def _inner_convolutions(network: Network) -> list[nn.Conv2d]:
    convolutions = [each for each in network.modules() if isinstance(each, nn.Conv2d)][1:-1]
    return [each for each in convolutions if each.groups == 1 and each.kernel_size != (1, 1)]
