"""Learning-rate schedules, stepped after every training step."""

import math
import warnings
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


def warmup_cosine(optimizer: Optimizer, *, warmup_steps: int, total_steps: int) -> LambdaLR:
    """Rise linearly to the optimizer's learning rate, then decay to zero along half a cosine.

    The warm-up keeps Adam's first steps small, while its moment estimates are noisy.

    Args:
        optimizer: its learning rate is scaled.
        warmup_steps: steps of the warm-up; 0 for none.
        total_steps: steps of the whole run.
    """

    def half_cosine(progress: float) -> float:
        return 0.5 * (1 + math.cos(math.pi * progress))

    return _warmup(optimizer, warmup_steps, total_steps, half_cosine)


def warmup_linear(optimizer: Optimizer, *, warmup_steps: int, total_steps: int) -> LambdaLR:
    """Rise linearly to the optimizer's learning rate, then decay linearly to zero.

    Better than half a cosine in short trainings (docs/recipe.md).

    Args:
        optimizer: its learning rate is scaled.
        warmup_steps: steps of the warm-up; 0 for none.
        total_steps: steps of the whole run.
    """
    return _warmup(optimizer, warmup_steps, total_steps, lambda progress: 1 - progress)


def _warmup(
    optimizer: Optimizer, warmup_steps: int, total_steps: int, decay: Callable[[float], float]
) -> LambdaLR:
    """Warm up, then scale by ``decay`` of the progress through the remaining steps, 0..1."""

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        return decay(min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps)))

    return LambdaLR(optimizer, factor)


def advance(scheduler: LRScheduler, steps: int) -> None:
    """Bring a new schedule to where it is after so many steps, from its own first rate.

    Args:
        scheduler: not stepped yet; the rates of its optimizer may be those of another schedule.
        steps: 0 or more.
    """
    for group, rate in zip(scheduler.optimizer.param_groups, scheduler.get_last_lr(), strict=True):
        group["lr"] = rate
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*lr_scheduler.step.*before.*optimizer.step")
        for _ in range(steps):
            scheduler.step()
