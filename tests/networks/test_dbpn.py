import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose

from drnsr.networks import DBPN, RecurrentDBPN
from tests.networks.oracles import count, matlab_bicubic


# The authors' code (DBPN-Pytorch): D-DBPN has 7 stages, DBPN-LL 10.
@pytest.mark.parametrize(
    ("stages", "scale", "published"),
    [
        (7, 2, 5_953_526),
        (7, 4, 10_426_358),
        (7, 8, 23_205_878),
        (10, 2, 8_811_086),
        (10, 4, 15_348_302),
        (10, 8, 34_026_062),
    ],
)
def test_it_has_the_published_number_of_parameters(stages, scale, published):
    with torch.device("meta"):
        assert count(DBPN(scale=scale, num_stages=stages)) == published


def test_the_recurrent_one_has_the_published_number_of_parameters():
    with torch.device("meta"):
        assert count(RecurrentDBPN(scale=4)) == 10_419_446  # DBPN-RES-MR64-3 of the same code


@pytest.mark.parametrize("family", [DBPN, RecurrentDBPN])
def test_invalid_arguments_are_refused(family):
    with pytest.raises(ValueError, match="dbpn has no x3; it has x2, x4 and x8"):
        family(scale=3)
    with pytest.raises(ValueError, match="num_stages: dbpn has at least 2, not 1"):
        family(scale=2, num_stages=1)


class Plain:
    """The equations of Haris et al. 2018, section 3, over a network's weights, at scale 4."""

    def __init__(self, network):
        self.weights = network.state_dict()

    def layer(self, name, x, convolve=F.conv2d, **geometry):
        x = convolve(
            x, self.weights[f"{name}.0.weight"], self.weights[f"{name}.0.bias"], **geometry
        )
        return F.prelu(x, self.weights[f"{name}.1.weight"])

    def raise_(self, name, x):
        return self.layer(name, x, F.conv_transpose2d, stride=4, padding=2)

    def lower(self, name, x):
        return self.layer(name, x, stride=4, padding=2)

    def shallow(self, lr):
        weights = {key: value for key, value in self.weights.items() if "shallow" in key}
        x = F.conv2d(lr, weights["shallow.0.weight"], weights["shallow.0.bias"], padding=1)
        x = F.prelu(x, weights["shallow.1.weight"])
        x = F.conv2d(x, weights["shallow.2.weight"], weights["shallow.2.bias"])
        return F.prelu(x, weights["shallow.3.weight"])

    def up(self, number, *lows):
        unit = f"projections.up.{number}"
        low = self.layer(f"{unit}.squeeze", torch.cat(lows, 1)) if len(lows) > 1 else lows[0]
        h0 = self.raise_(f"{unit}.up", low)
        l0 = self.lower(f"{unit}.back", h0)
        return h0 + self.raise_(f"{unit}.up_error", l0 - low)

    def down(self, number, *highs):
        unit = f"projections.down.{number}"
        high = self.layer(f"{unit}.squeeze", torch.cat(highs, 1)) if len(highs) > 1 else highs[0]
        l0 = self.lower(f"{unit}.down", high)
        h0 = self.raise_(f"{unit}.back", l0)
        return l0 + self.lower(f"{unit}.down_error", h0 - high)

    def stages(self, low):
        """Three up-projections, each with all LR features so far, newest first."""
        h1 = self.up(0, low)
        l1 = self.down(0, h1)
        h2 = self.up(1, l1)
        l2 = self.down(1, h2, h1)
        h3 = self.up(2, l2, l1)
        return (h3, h2, h1), l2

    def tail(self, highs):
        weight, bias = self.weights["tail.weight"], self.weights["tail.bias"]
        return F.conv2d(torch.cat(highs, 1), weight, bias, padding=1)


SMALL = {"scale": 4, "num_features": 4, "num_shallow_features": 6, "num_stages": 3}


def test_it_is_the_papers_equations():
    network, lr = DBPN(**SMALL), torch.rand(1, 3, 5, 6)
    plain = Plain(network)
    expected = plain.tail(plain.stages(plain.shallow(lr))[0])
    with torch.no_grad():
        assert_allclose(network(lr), expected, atol=1e-5 * float(expected.abs().max()))


def test_the_recurrent_one_starts_each_run_from_its_last_lr_features():
    network, lr = RecurrentDBPN(**SMALL, num_recurrences=2), torch.rand(1, 3, 5, 6)
    plain = Plain(network)
    (first, *_), low = plain.stages(plain.shallow(lr))
    (second, *_), _ = plain.stages(low)
    expected = matlab_bicubic(lr, 4) + plain.tail([first, second])
    with torch.no_grad():
        assert_allclose(network(lr), expected, atol=1e-5 * float(expected.abs().max()))
