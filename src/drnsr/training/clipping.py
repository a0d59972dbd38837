"""Gradient clipping: limits to the gradients of one step, set before the optimizer takes it."""

from torch import Tensor, nn
from torch.optim import Optimizer


def clip_norm(optimizer: Optimizer, *, max_norm: float) -> None:
    """Shorten the gradient over all parameters to ``max_norm`` where it is longer.

    Args:
        optimizer: whose parameters' gradients are clipped in place.
        max_norm: largest Euclidean norm.

    Raises:
        ValueError: it is not more than 0: the gradients would be turned round, or gone.
    """
    if max_norm <= 0:
        raise ValueError(f"max_norm: {max_norm} is not more than 0")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    nn.utils.clip_grad_norm_(parameters, max_norm)


def clip_adjustably(optimizer: Optimizer, *, theta: float) -> None:
    """Limit each gradient to [-theta / lr, theta / lr], lr being the learning rate of this step.

    So no weight moves further than ``theta`` in one step (momentum apart), however high the rate,
    and the limit widens as the rate falls (Kim et al. 2016, section 3.2).

    Args:
        optimizer: whose parameters' gradients are clipped in place, each group by its own rate.
        theta: the limit times the learning rate.

    Raises:
        ValueError: it is not more than 0.
    """
    if theta <= 0:
        raise ValueError(f"theta: {theta} is not more than 0")
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):  # of a captured step, which decides nothing by values
            limit = theta / group["lr"]
            for gradient in (p.grad for p in group["params"] if p.grad is not None):
                gradient.clamp_(-limit, limit)
        elif group["lr"] > 0:  # at the end of a schedule there is no step to limit
            nn.utils.clip_grad_value_(group["params"], theta / float(group["lr"]))
