"""What a training and its model take, in words."""

from collections.abc import Mapping
from typing import Any

NOT_MEASURED = "not measured here"


def describe_costs(
    model: Mapping[str, Any] | None, training: Mapping[str, Any] | None
) -> dict[str, str]:
    """Name what was measured, and say what was not.

    Args:
        model: the fields of :class:`drnsr.evaluation.cost.Cost`; None if it was not measured.
        training: seconds, samples per second, precision and skipped losses; None likewise.

    Returns:
        A text for each name.
    """
    known = {"applying the model": NOT_MEASURED} if model is None else _of_model(model)
    return known | {"training": NOT_MEASURED if training is None else _of_training(training)}


def _of_model(cost: Mapping[str, Any]) -> dict[str, str]:
    peak = cost.get("peak_memory_mib")
    return {
        "parameters": f"{cost['parameters']:,.0f}",
        "multiply-adds per output megapixel": f"{cost['multiply_adds_per_megapixel']:.1f} G",
        "seconds per output megapixel": f"{cost['seconds_per_megapixel']:.2f}",
        "peak memory": "not known on this system" if peak is None else f"{peak:.0f} MiB",
    }


def _of_training(cost: Mapping[str, Any]) -> str:
    text = f"{cost['seconds']:.0f} s, {cost['samples_per_second']:.0f} samples per second"
    skipped = cost["skipped_losses"]
    return f"{text}, {cost['precision']}" + (f", {skipped:.0f} losses skipped" if skipped else "")
