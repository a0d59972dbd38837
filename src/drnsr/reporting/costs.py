"""What a training and its model cost, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from drnsr.training.scalars import MODEL_COSTS, MODEL_SIZES, MODEL_TIMES, TRAINING_COSTS, Scalar

NOT_MEASURED = "not measured here"


def describe_costs(
    model: Mapping[str, Any] | None, training: Mapping[str, Any] | None
) -> dict[str, str]:
    """Describe what was measured, and say what was not.

    Args:
        model: the values of :data:`drnsr.training.scalars.MODEL_COSTS` by name; None if they were
            not measured.
        training: those of :data:`drnsr.training.scalars.TRAINING_COSTS`, and ``precision``; None if
            they were not measured.

    Returns:
        A text for each name.
    """
    return _describe(MODEL_COSTS, model, training)


def describe_size(parameters: int, multiply_adds_per_megapixel: float) -> dict[str, str]:
    """Describe what a model costs on every machine.

    Args:
        parameters: their number.
        multiply_adds_per_megapixel: of output, in billions.
    """
    values = (parameters, multiply_adds_per_megapixel)
    return {each.heading: each.text(value) for each, value in zip(MODEL_SIZES, values, strict=True)}


def describe_times(
    model: Mapping[str, Any] | None, training: Mapping[str, Any] | None
) -> dict[str, str]:
    """Describe, of what :func:`describe_costs` does, the time and the memory."""
    return _describe(MODEL_TIMES, model, training)


def _describe(
    scalars: Sequence[Scalar], model: Mapping[str, Any] | None, training: Mapping[str, Any] | None
) -> dict[str, str]:
    costs = {"applying the model": NOT_MEASURED}
    if model is not None:
        costs = {scalar.heading: scalar.text(model.get(scalar.name)) for scalar in scalars}
    return costs | {"training": NOT_MEASURED if training is None else _training_text(training)}


def _training_text(cost: Mapping[str, Any]) -> str:
    """Join the numbers, without counts that are 0, and the precision."""
    numbers = [scalar.text(cost[scalar.name]) for scalar in TRAINING_COSTS if cost.get(scalar.name)]
    return ", ".join([*numbers, str(cost["precision"])])
