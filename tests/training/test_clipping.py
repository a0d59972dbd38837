import pytest
import torch

from drnsr.training.clipping import clip_adjustably, clip_norm


def with_gradients(*groups):
    """An optimizer over one parameter for each (learning rate, gradient)."""
    optimizer_groups = []
    for rate, gradient in groups:
        parameter = torch.nn.Parameter(torch.zeros(len(gradient)))
        parameter.grad = torch.tensor(gradient)
        optimizer_groups.append({"params": [parameter], "lr": rate})
    return torch.optim.SGD(optimizer_groups)


def gradients(optimizer):
    return [group["params"][0].grad.tolist() for group in optimizer.param_groups]


def test_the_norm_is_over_all_parameters():
    optimizer = with_gradients((1.0, [3.0, 0.0]), (1.0, [0.0, 4.0]))
    clip_norm(optimizer, max_norm=2.5)
    first, second = gradients(optimizer)
    assert first == pytest.approx([1.5, 0.0])
    assert second == pytest.approx([0.0, 2.0])


def test_a_short_gradient_stays():
    optimizer = with_gradients((1.0, [3.0, -4.0]))
    clip_norm(optimizer, max_norm=6.0)
    assert gradients(optimizer) == [[3.0, -4.0]]


def test_the_adjustable_limit_is_theta_over_the_rate():
    optimizer = with_gradients((0.1, [-7.0, 3.5]), (0.01, [-70.0, 35.0]))
    clip_adjustably(optimizer, theta=0.4)
    first, second = gradients(optimizer)
    assert first == pytest.approx([-4.0, 3.5])
    assert second == pytest.approx([-40.0, 35.0])


def test_a_rate_of_zero_has_no_limit():
    optimizer = with_gradients((0.0, [1e6]))
    clip_adjustably(optimizer, theta=0.4)
    assert gradients(optimizer) == [[1e6]]
