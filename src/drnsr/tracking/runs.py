"""What MLflow records about a run, and how the run of a model is found: by the model's hash."""

import json
import logging
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drnsr.hashing import file_sha256, is_sha256
from drnsr.tracking.events import now
from drnsr.tracking.git import current_commit
from drnsr.tracking.sweep import sweep_tags
from drnsr.tracking.tags import (
    COMMIT_TAG,
    DATA_TAG,
    EARLIER_TAG,
    MODEL_TAG,
    OUTBOX_TAG,
    TRAINING_TAG,
    recorded,
    runs_with,
    stored,
    stored_name,
)
from drnsr.weights.native import EarlierPart

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger("drnsr")

EVALUATION_FOLDER = "evaluation"
CHOICES_FILE = "choices.json"  # what was chosen; config.yaml has what was composed from it
PATCH_FILE = "uncommitted.patch"
LEFT_OUT_FILE = "left_out.txt"  # changed and new files that are not in the patch, one in a line

# MLflow refuses other characters in a parameter's name; the licence of `cid22__*` has such a name.
_NOT_IN_NAMES = re.compile(r"[^\w./: -]")

# Prefixes of the metrics that differ from run to run.
TRAINING_COST = "training/"
MODEL_COST = "cost/"


def describe_run(
    config: Mapping[str, Any],
    data: Mapping[str, str],
    training: str,
    model: Path | None = None,
    choices: Mapping[str, Any] | None = None,
    earlier: Sequence[EarlierPart] = (),
    source: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Describe a run before it begins, in values that JSON can express: see :func:`begin_run`.

    Args:
        config: the composed configuration.
        data: hashes of the data by name.
        training: the fingerprint of all that the training is the result of.
        model: the model file, if it exists already; the store may have a run that made it.
        choices: what the configuration was composed from, if that is known: ``params``, the
            content of params.yaml, and ``overrides``, those of Hydra.
        earlier: the parts of the training before, in other runs.
        source: tags that say what was run, and by whom: see
            :func:`drnsr.tracking.source.source_tags`.
    """
    commit = current_commit()
    tags = {**(source or {}), COMMIT_TAG: commit.sha, "drnsr.dirty": str(commit.dirty).lower()}
    tags |= {f"{DATA_TAG}{name}": value for name, value in data.items()}
    tags |= {TRAINING_TAG: training, OUTBOX_TAG: uuid.uuid4().hex, **sweep_tags()}
    if earlier:
        tags[EARLIER_TAG] = json.dumps([asdict(part) for part in earlier])
    texts = {"environment.txt": _environment()}
    if commit.patch:
        texts[PATCH_FILE] = commit.patch
    if choices is not None:
        texts[CHOICES_FILE] = json.dumps(choices, indent=2) + "\n"
    if commit.left_out:
        texts[LEFT_OUT_FILE] = "".join(f"{path}\n" for path in commit.left_out)
    return {
        "name": title(config),
        "start_time": now(),
        "tags": tags,
        "config": config,
        "texts": texts,
        "model_sha256": None if model is None else file_sha256(model),
    }


def title(config: Mapping[str, Any]) -> str:
    """Return the name of a run, which others of the same kind share."""
    name = f"{config['model']['name']}-x{config['scale']}-{config['data']['name']}"
    return f"{name}-seed{config['seed']}"


def begin_run(client: "MlflowClient", experiment_id: str, run: Mapping[str, Any]) -> str:
    """Make a run, or find the one that an interrupted call began to make; return its id.

    Args:
        client: see :func:`drnsr.tracking.store.open_store`.
        experiment_id: see :func:`drnsr.tracking.store.experiment_id`.
        run: its description.
    """
    from mlflow.entities import Param

    if run["model_sha256"]:
        known = find_runs(client, run["model_sha256"])
        for run_id in verified_first(client, known, run["model_sha256"]):
            return run_id
        log.info("this MLflow has no run that made the model (trained elsewhere): making a run")
    begun = client.search_runs(
        [experiment_id], f"tags.`{stored_name(OUTBOX_TAG)}` = '{run['tags'][OUTBOX_TAG]}'"
    )
    if begun:
        run_id = str(begun[0].info.run_id)
    else:
        tags = stored(run["tags"])
        created = client.create_run(experiment_id, run["start_time"], tags, run["name"])
        run_id = str(created.info.run_id)
    named = {_NOT_IN_NAMES.sub("_", key): value for key, value in flatten(run["config"]).items()}
    params = [Param(key, value) for key, value in named.items()]
    for start in range(0, len(params), 100):  # MLflow takes a hundred at a time
        client.log_batch(run_id, params=params[start : start + 100])
    client.log_dict(run_id, run["config"], "config.yaml")
    for name, text in run["texts"].items():
        client.log_text(run_id, text, name)
    return run_id


@cache
def _environment() -> str:
    """Return the installed packages, as a constraints file."""
    # A package's name and version alone would parse its metadata once each.
    found = (package.metadata for package in distributions())
    packages = {f"{metadata['Name']}=={metadata['Version']}" for metadata in found}
    return "\n".join(sorted(packages, key=str.lower)) + "\n"


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Flatten a nested configuration to ``a.b.c: value``; each element of a list has its own key.

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
        example: an encoded picture, the example of the model's input.
    """
    from drnsr.tracking.serving import log_pyfunc

    log_pyfunc(run_id, model, example)
    client.set_tag(run_id, MODEL_TAG, file_sha256(model))


def find_runs(client: "MlflowClient", sha256: str, tag: str = MODEL_TAG) -> list[str]:
    """Return the ids of the runs that made a model, the newest first.

    Args:
        client: see :func:`drnsr.tracking.store.open_store`.
        sha256: the hash of the model file; what another file claims to be one is checked, for it
            becomes a part of a query.
        tag: the tag that has the hash; with TRAINING_TAG, it is the fingerprint of a training.
    """
    if not is_sha256(sha256):
        return []
    experiments = [found.experiment_id for found in client.search_experiments()]
    runs = runs_with(client, experiments, tag, sha256, order_by=["attributes.start_time DESC"])
    return [str(run.info.run_id) for run in runs]


def has_model(client: "MlflowClient", run_id: str, model_sha256: str) -> bool:
    """Return whether a run has a record of its own, and a model file with this hash.

    Args:
        client: see :func:`drnsr.tracking.store.open_store`.
        run_id: the run.
        model_sha256: the hash of the model file.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    run = client.get_run(run_id)
    if TRAINING_TAG not in recorded(run) or run.outputs is None:
        return False
    for output in run.outputs.model_outputs:
        location = client.get_logged_model(output.model_id).artifact_location
        try:
            files = Path(download_artifacts(artifact_uri=f"{location}/artifacts"))
        except (MlflowException, OSError):
            continue  # the run lost them, or never had any
        if any(file_sha256(file) == model_sha256 for file in files.glob("*.safetensors")):
            return True
    return False


def verified_first(client: "MlflowClient", runs: Sequence[str], model_sha256: str) -> Iterator[str]:
    """Yield those of several runs that have the file of a model, and then the others.

    Anyone who may write to the store can give a run the tag by which it is found.

    Args:
        client: see :func:`drnsr.tracking.store.open_store`.
        runs: those of :func:`find_runs`.
        model_sha256: the hash of the model file.
    """
    others = []
    for run_id in runs:
        if len(runs) > 1 and has_model(client, run_id, model_sha256):
            yield run_id
        else:
            others.append(run_id)
    yield from others
