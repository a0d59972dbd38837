import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose

from drnsr.networks import RRDBNet
from drnsr.networks.rrdbnet import DenseBlock


# BasicSR's code: 1 begins with a pixel-unshuffle by 4, 2 with one by 2.
@pytest.mark.parametrize(
    ("scale", "published"), [(1, 16_723_907), (2, 16_703_171), (4, 16_697_987)]
)
def test_it_has_the_published_number_of_parameters(scale, published):
    with torch.device("meta"):
        network = RRDBNet(scale=scale)
    assert sum(parameter.numel() for parameter in network.parameters()) == published


@pytest.mark.parametrize(
    ("scale", "unshuffle", "doublings"), [(2, 1, 1), (8, None, 3), (1, 1, 0), (3, None, 1)]
)
def test_the_number_of_doublings_follows_the_scale(scale, unshuffle, doublings):
    network = RRDBNet(scale=scale, num_features=4, num_blocks=1, num_growth=2, unshuffle=unshuffle)
    assert len(network.doublings) == doublings
    assert network(torch.rand(1, 3, 2, 3)).shape == (1, 3, 2 * scale, 3 * scale)


def test_there_is_no_scale_6():
    with pytest.raises(ValueError, match="scale 6: RRDBNet enlarges by 3 or powers of two"):
        RRDBNet(scale=6)


def test_a_dense_block_is_the_papers():
    # Wang et al. 2018, figure 4: each convolution sees the input and all before it.
    block = DenseBlock(num_features=6, num_growth=2)
    x = torch.rand(1, 6, 5, 5)
    first, second, third, fourth, fifth = block.convs
    x1 = F.leaky_relu(first(x), 0.2)
    x2 = F.leaky_relu(second(torch.cat([x, x1], 1)), 0.2)
    x3 = F.leaky_relu(third(torch.cat([x, x1, x2], 1)), 0.2)
    x4 = F.leaky_relu(fourth(torch.cat([x, x1, x2, x3], 1)), 0.2)
    expected = x + 0.2 * fifth(torch.cat([x, x1, x2, x3, x4], 1))
    assert_allclose(block(x).detach(), expected.detach(), atol=1e-6)
    # He et al. 2015 initialise with std = sqrt(2 / fan_in); the paper takes a tenth of it.
    large = DenseBlock(num_features=64, num_growth=32).convs[4].weight
    assert large.std().item() == pytest.approx(0.1 * (2 / (192 * 9)) ** 0.5, rel=0.02)
