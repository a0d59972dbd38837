import copy

import pytest
import torch
from torch import nn

from drnsr.training.muon import Muon, orthogonalise


def layers(width=16, size=3):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, width, 3),
        nn.Conv2d(width, width, 3),
        nn.ReLU(),
        nn.Conv2d(width, 4 * width, size),
        nn.Conv2d(4 * width, 12, 3),
    )


def train(network, optimizer, steps=3):
    """Steps on the same data."""
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        optimizer.zero_grad()
        network(x).abs().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("shape", [(16, 144), (64, 16), (3, 5)])
def test_singular_values_become_nearly_equal(shape):
    matrices = torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))
    found = orthogonalise(matrices)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.4
    assert values.max() < 1.3
    # The directions are those of the exact answer, U V^T of the singular value decomposition.
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    inside = left.mT @ found @ right.mT
    off_diagonal = inside - torch.diag_embed(torch.diagonal(inside, dim1=1, dim2=2))
    assert off_diagonal.abs().max() < 1e-4


def test_zeros_stay_zeros():
    assert orthogonalise(torch.zeros(2, 4, 6)).count_nonzero() == 0


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [3, 1])  # a matrix of 64 x 144, and one of 64 x 16
def test_a_kernel_moves_as_torchs_muon_moves_its_matrix(layout, size):
    network = layers(size=size).to(memory_format=layout)
    kernel = network[3].weight
    matrix = nn.Parameter(kernel.detach().flatten(1).clone())
    ours = Muon(network.parameters(), lr=0.02, adam_lr=0.0)
    theirs = torch.optim.Muon([matrix], lr=0.02, weight_decay=0.0, momentum=0.95)
    for step in range(3):
        gradient = torch.randn(kernel.shape, generator=torch.Generator().manual_seed(step))
        kernel.grad = gradient.clone(memory_format=torch.preserve_format).contiguous(
            memory_format=layout
        )
        matrix.grad = gradient.flatten(1)
        ours.step()
        theirs.step()
    apart = (kernel.detach().flatten(1) - matrix.detach()).norm()
    whole = (matrix.detach() - layers(size=size)[3].weight.detach().flatten(1)).norm()
    assert apart < 0.02 * whole  # torch iterates in bf16


def test_pixels_and_biases_move_as_under_adam():
    ours, theirs = layers(), layers()
    train(ours, Muon(ours.parameters(), lr=0.0, adam_lr=1e-3))
    hidden = {"1.weight", "3.weight"}
    rest = [each for name, each in theirs.named_parameters() if name not in hidden]
    train(theirs, torch.optim.Adam(rest, lr=1e-3))
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other), name


def test_it_resumes_from_its_state():
    through, resumed = layers(), layers()
    train(through, Muon(through.parameters(), lr=0.01, adam_lr=1e-3), steps=5)
    first = Muon(resumed.parameters(), lr=0.01, adam_lr=1e-3)
    train(resumed, first, steps=2)
    second = Muon(resumed.parameters(), lr=0.5, adam_lr=0.5)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    train(resumed, second, steps=3)
    for mine, other in zip(resumed.parameters(), through.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_a_step_without_gradients_changes_nothing():
    network = layers()
    before = copy.deepcopy(network.state_dict())
    Muon(network.parameters(), lr=0.1, adam_lr=0.1).step()
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="momentum"):
        Muon(layers().parameters(), lr=0.1, adam_lr=0.1, momentum=1.0)
    with pytest.raises(ValueError, match="must not be negative"):
        Muon(layers().parameters(), lr=-0.1, adam_lr=0.1)
    with pytest.raises(ValueError, match="between the first and the last"):
        Muon(nn.Conv2d(3, 3, 3).parameters(), lr=0.1, adam_lr=0.1)
