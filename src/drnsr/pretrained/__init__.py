"""The models that ship with the package, each a file of weights and a card that tells of it."""

from pathlib import Path

from drnsr.errors import UserError

SCALES = {2: "drnsr-x2", 3: "drnsr-x3", 4: "drnsr-x4"}
"""The models by how many times they enlarge."""

NAMES = tuple(SCALES.values())


def model_file(name: str) -> Path:
    """The file of weights of a shipped model.

    Raises:
        UserError: there is no such model.
    """
    if name not in NAMES:
        raise UserError(f"{name}: no shipped model is called so; there are {', '.join(NAMES)}")
    return Path(__file__).with_name(f"{name}.safetensors")
