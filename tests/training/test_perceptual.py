"""The perceptual loss on features one can work out, and which networks give it features."""

import pytest
import torch
from torch import nn

from drnsr.training.perceptual import PerceptualLoss


class Doubled(nn.Module):
    """Two features of a pixel: twice its red, and its green less its blue."""

    def forward(self, picture):
        red, green, blue = picture.unbind(1)
        return torch.stack([2 * red, green - blue], dim=1)


def test_it_is_the_mean_absolute_difference_of_features():
    target = torch.zeros(1, 3, 2, 2)
    prediction = target.clone()
    prediction[0, 0, 0, 0] = 0.5  # red: a feature differs by 1
    prediction[0, 1, 1, 1] = 0.25  # green: by 0.25
    prediction[0, :, 0, 1] = torch.tensor([0.0, 0.7, 0.7])  # no feature sees it
    loss = PerceptualLoss(Doubled())(prediction, target)
    assert loss.item() == pytest.approx((1 + 0.25) / 8)


def test_gradients_reach_the_prediction_alone():
    features = nn.Conv2d(3, 4, 3)
    prediction = torch.rand(1, 3, 5, 5, requires_grad=True)
    target = torch.rand(1, 3, 5, 5, requires_grad=True)
    PerceptualLoss(features)(prediction, target).backward()
    assert prediction.grad.abs().sum() > 0
    assert target.grad is None
    assert features.weight.grad is None
