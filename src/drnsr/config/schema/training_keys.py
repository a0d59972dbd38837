"""What a trained model depends on."""

from collections.abc import Mapping
from typing import Any

TRAINING_KEYS = (
    "seed",
    "scale",
    "model.network",
    "model.kernel_expansion",
    "loss",
    "gan",
    "optimizer",
    "scheduler",
    "clipping",
    "degradation",
    "datamodule",
    "data.weight_by",
    "prepare.bad_images",  # decides about pictures smaller than a crop
    "trainer",
)
"""What a trained model depends on, beside data, code, `extend` and the content of `init_from`."""


def recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a model was trained: the training keys that are not about network or data.

    Args:
        config: composed, maybe by an older version.
    """
    keys = [key for key in TRAINING_KEYS if "." not in key and key != "scale"]
    keys.insert(1, "init_from")
    found = {key: config[key] for key in keys if key in config}
    if expansion := config["model"].get("kernel_expansion"):
        found["kernel_expansion"] = expansion
    return found


def select(config: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 (any value)
    """Return the value of a dotted key, such as ``model.network``."""
    value: Any = config
    for name in key.split("."):
        value = value[name]
    return value
