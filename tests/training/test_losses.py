import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from skimage.color import rgb2ycbcr

from drnsr.training.losses import Charbonnier, L1Frequency
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


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (16, 12)])
def test_the_frequency_term_is_numpys_transform(size):
    random = np.random.default_rng(0)
    prediction, target = random.random((2, 2, 3, *size))
    transforms = np.fft.fft2(prediction) - np.fft.fft2(target)
    components = np.stack([transforms.real, transforms.imag])
    expected = np.abs(prediction - target).mean() + 0.3 * np.abs(components).mean()
    loss = L1Frequency(weight=0.3)
    exact = loss(torch.from_numpy(prediction), torch.from_numpy(target))
    assert float(exact) == pytest.approx(expected, rel=1e-12)
    # In bf16 the pixels are rounded and the transform is not.
    rounded = (torch.from_numpy(each).bfloat16() for each in (prediction, target))
    with torch.autocast("cpu", torch.bfloat16):
        assert float(loss(*rounded)) == pytest.approx(expected, rel=0.1)


def test_the_luma_term_is_that_of_matlabs_luma():
    random = np.random.default_rng(0)
    prediction, target = random.random((2, 2, 3, 6, 5))
    lumas = [rgb2ycbcr(each, channel_axis=1)[:, 0] / 255 for each in (prediction, target)]
    expected = np.abs(prediction - target).mean() + 0.3 * np.abs(lumas[0] - lumas[1]).mean()
    loss = L1Frequency(weight=0, luma_weight=0.3)
    both = (torch.from_numpy(each) for each in (prediction, target))
    assert float(loss(*both)) == pytest.approx(expected, rel=1e-12)


def test_the_gradient_of_the_frequency_term_is_that_of_finite_differences():
    torch.manual_seed(0)
    prediction = torch.rand(1, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    target = torch.rand(1, 1, 3, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda each: L1Frequency()(each, target), prediction)
