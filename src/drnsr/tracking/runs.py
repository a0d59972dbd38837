"""What a run records, and how it is found again: by the content of the model that it made."""

import json
import logging
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drnsr.hashing import file_sha256
from drnsr.tracking.git import current_commit
from drnsr.tracking.sweep import PARENT_RUN_VARIABLE

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger("drnsr")

# The tag by which a run is found again. A file with a run id would differ between equal runs.
MODEL_TAG = "drnsr.model_sha256"
DATA_TAG = "drnsr.data."
PROTOCOL_TAG = "drnsr.protocol."
TRAINING_TAG = "drnsr.training"
SAME_MODEL_TAG = "drnsr.same_model_as"
EVALUATION_FOLDER = "evaluation"


def start_run(
    client: "MlflowClient",
    experiment_id: str,
    config: Mapping[str, Any],
    data: Mapping[str, str],
    training: str,
) -> str:
    """Begin a run with its parameters, configuration, commit and data hashes; return its id.

    Args:
        client: see :func:`drnsr.tracking.store.open_store`.
        experiment_id: see :func:`drnsr.tracking.store.experiment_id`.
        config: the composed configuration.
        data: hashes of the data by name.
        training: the fingerprint of all that the training is the result of.
    """
    from mlflow.entities import Param
    from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID

    commit = current_commit()
    tags = {MLFLOW_GIT_COMMIT: commit.sha, "drnsr.dirty": str(bool(commit.patch)).lower()}
    tags |= {f"{DATA_TAG}{name}": value for name, value in data.items()}
    tags[TRAINING_TAG] = training
    if parent := os.environ.get(PARENT_RUN_VARIABLE):
        tags[MLFLOW_PARENT_RUN_ID] = parent
    name = f"{config['model']['name']}-x{config['scale']}-{config['data']['name']}"
    run = client.create_run(experiment_id, run_name=f"{name}-seed{config['seed']}", tags=tags)
    run_id = str(run.info.run_id)
    params = [Param(key, value) for key, value in flatten(config).items()]
    for start in range(0, len(params), 100):  # MLflow takes a hundred at a time
        client.log_batch(run_id, params=params[start : start + 100])
    client.log_dict(run_id, dict(config), "config.yaml")
    client.log_text(run_id, _environment(), "environment.txt")
    if commit.patch:
        client.log_text(run_id, commit.patch, "uncommitted.patch")
    return run_id


def go_on_with_run(client: "MlflowClient", experiment_id: str, training: str) -> str | None:
    """The newest run of this very training that was begun and not finished, running again.

    The caller has seen to it that no other process is at it.

    Args:
        client: see :func:`drnsr.tracking.store.open_store`.
        experiment_id: see :func:`drnsr.tracking.store.experiment_id`.
        training: see :func:`start_run`.

    Returns:
        Its id; None where there is no such run.
    """
    found = client.search_runs(
        [experiment_id],
        filter_string=f"tags.`{TRAINING_TAG}` = '{training}' and attributes.status != 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    if not found:
        return None
    run_id = str(found[0].info.run_id)
    client.update_run(run_id, status="RUNNING")
    return run_id


def _environment() -> str:
    """The installed packages, as a constraints file."""
    packages = {f"{package.name}=={package.version}" for package in distributions()}
    return "\n".join(sorted(packages, key=str.lower)) + "\n"


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A nested configuration as ``a.b.c: value``; lists element by element, so that none is cut.

    >>> flatten({"a": {"b": [1, 2]}, "c": None})
    {'a.b.0': '1', 'a.b.1': '2', 'c': 'null'}
    """
    flat: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Sequence) and not isinstance(value, str):
            value = {str(index): element for index, element in enumerate(value)}
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value)
    return flat


def log_model(client: "MlflowClient", run_id: str, model: Path, example: bytes) -> None:
    """Log a model file so that MLflow can serve it, and tag the run with its content.

    Args:
        client: see :func:`drnsr.tracking.store.open_store`.
        run_id: the run that made the model.
        model: the model file.
        example: an encoded picture, for the input example.
    """
    from drnsr.tracking.serving import log_pyfunc

    log_pyfunc(run_id, model, example)
    client.set_tag(run_id, MODEL_TAG, file_sha256(model))


def find_runs(client: "MlflowClient", model: Path) -> list[str]:
    """The runs that made this very model, the newest first.

    Args:
        client: see :func:`drnsr.tracking.store.open_store`.
        model: the model file.
    """
    experiments = [found.experiment_id for found in client.search_experiments()]
    runs = client.search_runs(
        experiments,
        filter_string=f"tags.`{MODEL_TAG}` = '{file_sha256(model)}'",
        order_by=["attributes.start_time DESC"],
    )
    return [str(run.info.run_id) for run in runs]


def log_evaluation(
    client: "MlflowClient", run_id: str, summary: Mapping[str, Any], files: Sequence[Path]
) -> None:
    """Record an evaluation: its means as metrics, its files and folders as artifacts."""
    from mlflow.entities import Metric

    now = time.time_ns() // 1_000_000
    metrics = [
        Metric(f"{benchmark}/{method}/{measure}", value, now, 0)
        for benchmark, result in summary.items()
        for method in ("bicubic", "model", "gain")
        for measure, value in result[method].items()
    ]
    client.log_batch(run_id, metrics=metrics)
    for benchmark, result in summary.items():
        client.set_tag(run_id, f"{PROTOCOL_TAG}{benchmark}", result["protocol"])
    for file in files:
        if file.is_dir():
            client.log_artifacts(run_id, str(file), f"{EVALUATION_FOLDER}/{file.name}")
        else:
            client.log_artifact(run_id, str(file), EVALUATION_FOLDER)


def copy_evaluation(client: "MlflowClient", sources: Sequence[str], target: str) -> None:
    """Give a run the evaluation of the newest other that made the same model, if one has any.

    When a training gives the same bits again, DVC sees no reason to evaluate again, and the new
    run would stay without its numbers.
    """
    for source in sources:
        run = client.get_run(source)
        metrics = {key: value for key, value in run.data.metrics.items() if "/" in key}
        if source != target and metrics:
            break
    else:
        return
    from mlflow.entities import Metric

    now = time.time_ns() // 1_000_000
    client.log_batch(target, [Metric(key, value, now, 0) for key, value in metrics.items()])
    for key, value in run.data.tags.items():
        if key.startswith((PROTOCOL_TAG, DATA_TAG)):
            client.set_tag(target, key, value)
    client.set_tag(target, SAME_MODEL_TAG, source)
    with tempfile.TemporaryDirectory() as folder:
        downloaded = client.download_artifacts(source, EVALUATION_FOLDER, folder)
        client.log_artifacts(target, downloaded, EVALUATION_FOLDER)
