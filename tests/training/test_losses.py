import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from drnsr.training.losses import Charbonnier
from tests.conftest import PROJECT

PREDICTION = torch.tensor([[3.0, 1.0], [0.5, 0.0]])
TARGET = torch.tensor([[0.0, 1.0], [0.5, 4.0]])  # differences 3, 0, 0 and -4


# By hand. Charbonnier's differences are so large beside its eps that sqrt(d^2 + eps^2) is
# |d| + eps^2 / (2 |d|), and eps where there is none.
@pytest.mark.parametrize(
    ("choice", "by_hand"),
    [
        ("l1", 7 / 4),
        ("mse", 25 / 4),
        ("charbonnier", (7 + 2e-3 + 1e-6 / 6 + 1e-6 / 8) / 4),
    ],
)
def test_the_losses_of_conf_are_those_of_the_textbook(choice, by_hand):
    loss = instantiate(OmegaConf.load(PROJECT / "conf" / "loss" / f"{choice}.yaml"))
    assert float(loss(PREDICTION, TARGET)) == pytest.approx(by_hand, rel=1e-6)


def test_charbonnier_is_a_right_triangle():
    loss = Charbonnier(eps=4.0)
    assert float(loss(torch.tensor([3.0]), torch.tensor([0.0]))) == 5.0
    assert float(loss(torch.tensor([3.0, 7.0]), torch.tensor([0.0, 7.0]))) == 4.5


def test_charbonnier_has_a_gradient_of_zero_where_nothing_differs():
    prediction = torch.zeros(3, requires_grad=True)
    Charbonnier()(prediction, torch.zeros(3)).backward()
    assert torch.equal(prediction.grad, torch.zeros(3))
