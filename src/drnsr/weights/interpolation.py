"""Network interpolation (Wang et al. 2018, section 3.4): a network between two others."""

import copy

import torch

from drnsr.errors import UserError
from drnsr.networks import Network


class InterpolationError(UserError):
    """Two networks that have nothing between them; the message says in what they differ."""


def interpolate(first: Network, second: Network, alpha: float) -> Network:
    """A network with the weights (1 - alpha) * first + alpha * second.

    Between a network trained on pixels and one trained on from it against a discriminator, it
    trades fidelity for texture without training. Networks that were trained apart have as a rule
    nothing useful between them.

    Args:
        first: what 0 gives.
        second: what 1 gives, of the same class and hyper-parameters.
        alpha: from 0 to 1.

    Raises:
        InterpolationError: the networks differ, or ``alpha`` is out of its range.
    """
    if not 0 <= alpha <= 1:
        raise InterpolationError(f"alpha: {alpha} is not between 0 and 1")
    if difference := _difference(first, second):
        raise InterpolationError(f"there is nothing between two different networks: {difference}")
    between = copy.deepcopy(first)
    others = second.state_dict()
    with torch.no_grad():
        for name, value in between.state_dict().items():
            value.lerp_(others[name], alpha)  # exact at both ends
    return between


def _difference(first: Network, second: Network) -> str:
    kinds = type(first).__name__, type(second).__name__
    if kinds[0] != kinds[1]:
        return f"{kinds[0]} and {kinds[1]}"
    theirs = second.hyper_parameters
    return ", ".join(
        f"{name} {value} and {theirs[name]}"
        for name, value in first.hyper_parameters.items()
        if value != theirs[name]
    )
