"""Learning-rate schedules, stepped once a training step."""

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_cosine(optimizer: Optimizer, *, warmup_steps: int, total_steps: int) -> LambdaLR:
    """Rise linearly to the optimizer's rate, then fall to zero along half a cosine.

    The warm-up keeps Adam's first steps small, while its moment estimates are poor.

    Args:
        optimizer: whose rate is scaled.
        warmup_steps: steps of the rise; 0 for none.
        total_steps: steps of the whole run.
    """

    def half_cosine(done: float) -> float:
        return 0.5 * (1 + math.cos(math.pi * done))

    return _warmup(optimizer, warmup_steps, total_steps, half_cosine)


def warmup_linear(optimizer: Optimizer, *, warmup_steps: int, total_steps: int) -> LambdaLR:
    """Rise linearly to the optimizer's rate, then fall to zero as linearly.

    Better than half a cosine where a training is short (docs/recipe.md).

    Args:
        optimizer: whose rate is scaled.
        warmup_steps: steps of the rise; 0 for none.
        total_steps: steps of the whole run.
    """
    return _warmup(optimizer, warmup_steps, total_steps, lambda done: 1 - done)


def _warmup(
    optimizer: Optimizer, warmup_steps: int, total_steps: int, fall: Callable[[float], float]
) -> LambdaLR:
    """The rise, and what ``fall`` makes of the part of the steps below it that is done, 0..1."""

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        return fall(min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps)))

    return LambdaLR(optimizer, factor)
