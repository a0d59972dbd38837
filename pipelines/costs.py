"""What a training and its model take on this machine: in the run's folder, and in MLflow.

They differ from run to run. An output of a stage must not, or DVC could never take a result from
its cache.
"""

import json
from pathlib import Path
from typing import Any

from drnsr.atomic import write_text
from drnsr.project import run_folder
from drnsr.reporting.costs import describe_costs
from drnsr.weights.native import Origin, read_info

TRAINING_FILE = "training_cost.json"
MODEL_FILE = "model_cost.json"


def write_cost(origin: Origin, name: str, cost: dict[str, Any]) -> None:
    """Write a cost into the folder of the run that ``origin`` describes."""
    write_text(run_folder(origin.fingerprint) / name, json.dumps(cost, indent=2) + "\n")


def described_costs(model: Path) -> dict[str, str]:
    """What was measured here of a model file and its training, by name, for people.

    What DVC took from its cache was maybe trained and measured on another machine.
    """
    folder = run_folder(read_info(model).origin.fingerprint)
    return describe_costs(_read(folder / MODEL_FILE), _read(folder / TRAINING_FILE))


def _read(file: Path) -> dict[str, Any] | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
