"""Learning-rate schedules, stepped once a training step."""

import math

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

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    return LambdaLR(optimizer, factor)
