"""Network interpolation (Wang et al. 2018, section 3.4)."""

import copy

import torch

from drnsr.errors import UserError
from drnsr.networks import Network


class InterpolationError(UserError):
    """Two networks that cannot be interpolated; the message says how they differ."""


def interpolate(first: Network, second: Network, alpha: float) -> Network:
    """Return a network with the weights (1 - alpha) * first + alpha * second.

    If ``second`` was fine-tuned from ``first`` against a discriminator, this trades fidelity for
    texture without training. Interpolating networks that were trained independently is rarely
    useful.

    Args:
        first: the result at 0.
        second: the result at 1, of the same class and hyper-parameters, trained on the same bands
            and range.
        alpha: 0 to 1.

    Raises:
        InterpolationError: if the networks differ, or ``alpha`` is out of its range.
    """
    if not 0 <= alpha <= 1:
        raise InterpolationError(f"alpha: {alpha} is not between 0 and 1")
    if difference := _difference(first, second):
        raise InterpolationError(f"two different networks cannot be interpolated: {difference}")
    result = copy.deepcopy(first)
    others = second.state_dict()
    with torch.no_grad():
        for name, value in result.state_dict().items():
            value.lerp_(others[name], alpha)  # exact at both ends
    return result


def _difference(first: Network, second: Network) -> str:
    """Return how two networks differ, or an empty string."""
    architectures = type(first).__name__, type(second).__name__
    if architectures[0] != architectures[1]:
        return " and ".join(architectures)
    theirs = second.hyper_parameters
    parameters = ", ".join(
        f"{name} {value} and {theirs[name]}"
        for name, value in first.hyper_parameters.items()
        if value != theirs[name]
    )
    if parameters or first.pixels == second.pixels:
        return parameters
    return " and ".join(each.pixels.text_with_range for each in (first, second))
