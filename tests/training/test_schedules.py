import math

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from drnsr.training.schedules import warmup_cosine, warmup_linear
from tests.conftest import PROJECT


def rates(warmup, warmup_steps, total_steps):
    def schedule(optimizer):
        return warmup(optimizer, warmup_steps=warmup_steps, total_steps=total_steps)

    return rates_of(schedule, total_steps)


def rates_of(schedule, steps):
    """Return the rate of each step, and the one after the last, from a rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = schedule(optimizer)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return [*seen, optimizer.param_groups[0]["lr"]]


def test_a_line_up_and_half_a_cosine_down():
    seen = rates(warmup_cosine, 4, 104)
    assert seen[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert seen[54] == pytest.approx(0.5)  # half way down
    assert seen[104] == pytest.approx(0.0)
    assert seen[4:] == sorted(seen[4:], reverse=True)


def test_a_line_up_and_a_line_down():
    assert rates(warmup_linear, 3, 8) == pytest.approx(
        [0.25, 0.5, 0.75, 1.0, 0.8, 0.6, 0.4, 0.2, 0.0]
    )


@pytest.mark.parametrize("warmup", [warmup_cosine, warmup_linear])
def test_without_warmup_the_first_rate_is_the_highest(warmup):
    assert rates(warmup, 0, 10)[0] == pytest.approx(1.0)


def of_conf(choice, **shorter):
    """Return a schedule of conf/ with shorter periods."""
    node = OmegaConf.load(PROJECT / "conf" / "scheduler" / f"{choice}.yaml")
    assert set(shorter) <= set(node)
    return instantiate(OmegaConf.merge(node, shorter))


def test_a_step_decay_halves_again_and_again():
    seen = rates_of(of_conf("step", step_size=2), 6)
    assert seen == pytest.approx([1, 1, 0.5, 0.5, 0.25, 0.25, 0.125])


def test_a_multi_step_decay_halves_at_each_milestone():
    seen = rates_of(of_conf("multi_step", milestones=[1, 2, 4]), 5)
    assert seen == pytest.approx([1, 0.5, 0.25, 0.25, 0.125, 0.125])


def test_cosines_are_the_authors_but_for_the_step_of_each_restart():
    steps, period, lowest = 12, 4, 0.2
    seen = rates_of(of_conf("cosine_restarts", T_0=period, eta_min=lowest), steps)
    for step in range(steps + 1):
        # BasicSR's code looks for the first of the periods' ends that is not before the step.
        begins = period * max(0, math.ceil(step / period) - 1)
        authors = lowest + (1 - lowest) * (1 + math.cos(math.pi * (step - begins) / period)) / 2
        restarts = step > 0 and step % period == 0
        assert seen[step] == pytest.approx(1.0 if restarts else authors)
        assert not restarts or authors == pytest.approx(lowest)


def test_cosines_restart_at_the_highest_rate():
    seen = rates_of(of_conf("cosine_restarts", T_0=4, eta_min=0.2), 8)
    # Down along half a cosine to 0.2, whose middle is 0.6, in four steps, and up at once.
    assert seen[0] == seen[4] == seen[8] == pytest.approx(1.0)
    assert seen[2] == seen[6] == pytest.approx(0.6)
    assert seen[1] == seen[5] == pytest.approx(0.6 + 0.4 * 2**-0.5)
    assert seen[3] == seen[7] == pytest.approx(0.6 - 0.4 * 2**-0.5)
