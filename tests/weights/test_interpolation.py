"""Interpolation of two networks."""

import pytest
import torch
from numpy.testing import assert_allclose

from drnsr.networks import DRNSR, EDSR
from drnsr.weights.interpolation import InterpolationError, interpolate


def network(seed, architecture=DRNSR, **sizes):
    torch.manual_seed(seed)
    made = architecture(**({"scale": 2, "num_features": 4, "num_blocks": 1} | sizes))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made


def test_each_weight_is_interpolated():
    first, second = network(0), network(1)
    between = interpolate(first, second, 0.8).state_dict()
    for name, value in first.state_dict().items():
        other = second.state_dict()[name].double()
        assert_allclose(between[name], 0.2 * value.double() + 0.8 * other, atol=1e-6)


def test_the_ends_are_the_networks_which_stay_unchanged():
    first, second = network(0), network(1)
    picture = torch.rand(1, 3, 5, 6)
    for alpha, end in ((0.0, first), (1.0, second), (0.5, None)):
        between = interpolate(first, second, alpha)
        if end is not None:
            assert torch.equal(between(picture), end(picture))
    assert torch.equal(first.head.weight, network(0).head.weight)
    assert torch.equal(second.head.weight, network(1).head.weight)


@pytest.mark.parametrize(
    ("second", "alpha", "message"),
    [
        (network(1, EDSR), 0.5, "DRNSR and EDSR"),
        (network(1, num_blocks=3), 0.5, "num_blocks 1 and 3"),
        (network(1, scale=3, num_features=5), 0.5, "scale 2 and 3, num_features 4 and 5"),
        (network(1), 1.5, "alpha: 1.5 is not between 0 and 1"),
        (network(1), float("nan"), "alpha: nan is not between 0 and 1"),
    ],
)
def test_different_networks_are_refused(second, alpha, message):
    with pytest.raises(InterpolationError, match=message):
        interpolate(network(0), second, alpha)
