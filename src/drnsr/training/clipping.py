"""Gradient clipping, before the optimizer takes its step."""

from torch import Tensor, nn
from torch.optim import Optimizer


def clip_norm(optimizer: Optimizer, *, max_norm: float) -> None:
    """Scale the gradients so that their norm over all parameters is at most ``max_norm``.

    Args:
        optimizer: the gradients of its parameters are clipped in place.
        max_norm: the largest Euclidean norm.

    Raises:
        ValueError: if ``max_norm`` is not above 0: gradients would be zeroed or reversed.
    """
    if max_norm <= 0:
        raise ValueError(f"max_norm: {max_norm} is not above 0")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    nn.utils.clip_grad_norm_(parameters, max_norm)


def clip_adjustably(optimizer: Optimizer, *, theta: float) -> None:
    """Clip each gradient to [-theta / lr, theta / lr], where lr is the learning rate of this step.

    So no weight moves further than ``theta`` in one step (without momentum), and the limit grows as
    the learning rate decays (Kim et al. 2016, section 3.2).

    Args:
        optimizer: the gradients of its parameters are clipped in place, each group by its own
            learning rate.
        theta: the limit times the learning rate.

    Raises:
        ValueError: if ``theta`` is not above 0.
    """
    if theta <= 0:
        raise ValueError(f"theta: {theta} is not above 0")
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):  # a captured step cannot branch on values
            limit = theta / group["lr"]
            for gradient in (p.grad for p in group["params"] if p.grad is not None):
                gradient.clamp_(-limit, limit)
        elif group["lr"] > 0:  # at a rate of 0 nothing moves
            nn.utils.clip_grad_value_(group["params"], theta / float(group["lr"]))
