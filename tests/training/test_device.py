"""The optimizers for a GPU; they are only created here, and take no step."""

from functools import partial

import pytest
import torch
from torch import nn

from drnsr.training.device import can_skip, is_capturable, make_optimizer
from drnsr.training.muon import Muon

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def network():
    return nn.Sequential(*(nn.Conv2d(2, 2, 3) for _ in range(3)))


@pytest.mark.parametrize(
    ("make", "fused", "captured"),
    [
        (partial(torch.optim.Adam, lr=1e-3), True, True),
        (partial(torch.optim.AdamW, lr=1e-3), True, True),
        (partial(torch.optim.SGD, lr=1e-3, momentum=0.9), True, False),
        (partial(torch.optim.Adam, lr=1e-3, foreach=True), False, False),  # the user's own choice
        (partial(Muon, lr=1e-3, adam_lr=1e-3), False, False),
        (lambda parameters: torch.optim.Adam(parameters, lr=1e-3), False, False),
    ],
    ids=["adam", "adamw", "sgd", "foreach", "muon", "function"],
)
def test_a_gpu_gets_a_fused_optimizer_if_there_is_one(make, fused, captured):
    optimizer = make_optimizer(CUDA, make, network().parameters())
    assert (can_skip(optimizer), is_capturable(optimizer)) == (fused, captured)
    assert len(optimizer.param_groups[0]["params"]) > 0


def test_a_cpu_gets_the_unchanged_optimizer():
    optimizer = make_optimizer(CPU, partial(torch.optim.Adam, lr=1e-3), network().parameters())
    assert not can_skip(optimizer)
    assert optimizer.defaults["fused"] is None
