"""Expanded kernels compute what three convolutions beside a plain one do, and fold into one."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from drnsr.networks import ARCHITECTURES
from drnsr.networks.expansion import ExpandedKernel, expand_kernels, fold_kernels, fold_tensors
from tests.networks.building import MODELS, build, wake


def drnsr():
    torch.manual_seed(0)
    network = ARCHITECTURES["DRNSR"](scale=2, num_features=8, num_blocks=2)
    nn.init.normal_(network.tail.weight, std=0.1)
    return network


def trained(network):
    """Give the factors other values, as a training does."""
    for module in network.modules():
        if isinstance(module, ExpandedKernel):
            nn.init.normal_(module.last, std=0.1)
    return network


LR = torch.rand(2, 3, 9, 11, generator=torch.Generator().manual_seed(0))


def test_the_sum_is_a_convolution_beside_three_in_a_row():
    torch.manual_seed(0)
    kernel, x = torch.rand(5, 4, 3, 3), torch.rand(2, 4, 7, 8)
    expanded = ExpandedKernel(kernel, 2)
    nn.init.normal_(expanded.last)
    row = F.conv2d(x, expanded.first[..., None, None])
    row = F.conv2d(row, expanded.middle, padding=1)
    row = F.conv2d(row, expanded.last[..., None, None])
    assert_close(F.conv2d(x, expanded(kernel), padding=1), F.conv2d(x, kernel, padding=1) + row)


def test_an_expanded_network_starts_as_it_was():
    plain, expanded = drnsr(), drnsr()
    expand_kernels(expanded, 2)
    assert_close(expanded(LR), plain(LR), rtol=0, atol=0)
    factors = [each for each in expanded.modules() if isinstance(each, ExpandedKernel)]
    assert len(factors) == 5  # two in each block, and the body's end


def test_a_folded_network_computes_the_same_with_plain_kernels():
    expanded = drnsr()
    expand_kernels(expanded, 2)
    trained(expanded)
    folded = fold_kernels(expanded)
    plain = drnsr()
    assert {n: t.shape for n, t in folded.state_dict().items()} == {
        n: t.shape for n, t in plain.state_dict().items()
    }
    assert not torch.allclose(folded(LR), plain(LR), atol=1e-3)
    assert_close(folded(LR), expanded(LR))
    assert folded.hyper_parameters == plain.hyper_parameters
    plain.load_state_dict(fold_tensors(expanded.state_dict()))
    assert_close(plain(LR), expanded(LR))


def test_a_plain_network_is_not_copied():
    plain = drnsr()
    assert fold_kernels(plain) is plain
    state = plain.state_dict()
    assert fold_tensors(state).keys() == state.keys()


@pytest.mark.parametrize("model", MODELS)
def test_every_network_can_be_expanded(model):
    network = wake(build(model)).eval()
    scale = network.descriptor.scales[0]
    lr = torch.rand(1, network.descriptor.channels, 12, 12)
    before = network.upscale(lr, scale)
    expand_kernels(network, 1)
    trained(network)
    after = network.upscale(lr, scale)
    assert not torch.allclose(after, before)
    assert_close(fold_kernels(network).eval().upscale(lr, scale), after, rtol=1e-3, atol=1e-3)
