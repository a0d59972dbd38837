"""The files in a run's folder with the cost of the training and of the model on this machine.

The costs differ from run to run. They are not an output of a stage, because DVC could then never
take a result from its cache.
"""

import json
from pathlib import Path
from typing import Any

from drnsr.atomic import write_text
from drnsr.project import run_folder
from drnsr.weights.native import Origin, read_info

TRAINING_FILE = "training_cost.json"
MODEL_FILE = "model_cost.json"
REFERENCE_FILE = "reference_cost.json"
"""The cost of the network that those of published networks are relative to, measured beside it."""


def write_cost(origin: Origin, name: str, cost: dict[str, Any]) -> None:
    """Write a cost into the folder of the run that ``origin`` describes."""
    write_text(run_folder(origin.fingerprint) / name, json.dumps(cost, indent=2) + "\n")


def remove_cost(origin: Origin, name: str) -> None:
    """Remove a cost that is not that of the last evaluation, if it is there."""
    (run_folder(origin.fingerprint) / name).unlink(missing_ok=True)


def read_costs(model: Path) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the costs of a model file and of its training.

    Either is None if it was not measured on this machine: DVC may have taken the model from its
    cache, after another machine trained it.
    """
    folder = run_folder(read_info(model).origin.fingerprint)
    return _read(folder / MODEL_FILE), _read(folder / TRAINING_FILE)


def read_reference_cost(model: Path) -> dict[str, Any] | None:
    """Return the content of :data:`REFERENCE_FILE`; None if it was not measured on this machine."""
    return _read(run_folder(read_info(model).origin.fingerprint) / REFERENCE_FILE)


def _read(file: Path) -> dict[str, Any] | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
