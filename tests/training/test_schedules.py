import pytest
import torch

from drnsr.training.schedules import warmup_cosine


def rates(warmup_steps, total_steps):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = warmup_cosine(optimizer, warmup_steps=warmup_steps, total_steps=total_steps)
    seen = []
    for _ in range(total_steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return [*seen, optimizer.param_groups[0]["lr"]]


def test_a_line_up_and_half_a_cosine_down():
    seen = rates(4, 104)
    assert seen[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert seen[54] == pytest.approx(0.5)  # half way down
    assert seen[104] == pytest.approx(0.0)
    assert seen[4:] == sorted(seen[4:], reverse=True)


def test_no_warmup_begins_at_the_top():
    assert rates(0, 10)[0] == pytest.approx(1.0)
