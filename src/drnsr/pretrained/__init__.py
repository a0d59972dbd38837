"""The models that ship with the package, each a model file and a model card."""

from pathlib import Path

from drnsr.errors import UserError

SCALES = {2: "drnsr-x2", 3: "drnsr-x3", 4: "drnsr-x4"}
"""The names of the models by scale."""

NAMES = tuple(SCALES.values())


def model_file(name: str) -> Path:
    """Return the model file of a shipped model.

    Raises:
        UserError: if there is no such model.
    """
    if name not in NAMES:
        raise UserError(
            f"{name}: there is no shipped model of this name; there are {', '.join(NAMES)}"
        )
    return Path(__file__).with_name(f"{name}.safetensors")
