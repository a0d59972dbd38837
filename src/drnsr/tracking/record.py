"""Read what MLflow recorded about a run: all that is needed to reproduce its result."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from drnsr.evaluation.results import read_rows
from drnsr.hashing import file_sha256
from drnsr.project import PER_IMAGE, SUMMARY
from drnsr.tracking.git import is_source
from drnsr.tracking.objective import Objective
from drnsr.tracking.promotion import Evaluation
from drnsr.tracking.runs import (
    CHOICES_FILE,
    EVALUATION_FOLDER,
    LEFT_OUT_FILE,
    MODEL_COST,
    PATCH_FILE,
    TRAINING_COST,
    find_runs,
    verified_first,
)
from drnsr.tracking.store import TrackingError, open_store, tracking_errors
from drnsr.tracking.sweep import OBJECTIVE_TAG, jobs_of
from drnsr.tracking.tags import (
    COMMIT_TAG,
    DATA_TAG,
    EARLIER_TAG,
    MODEL_TAG,
    TRAINING_TAG,
    recorded,
)
from drnsr.training.scalars import VAL_PSNR
from drnsr.weights.native import EarlierPart

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# Levels and values of a configuration; one of conf/ has 5 levels, and hundreds of values.
_DEEPEST, _MOST = 16, 50_000


@dataclass(frozen=True)
class RunRecord:
    """What MLflow recorded about one run.

    Attributes:
        run_id: in MLflow.
        name: in MLflow.
        status: in MLflow.
        commit: the commit of the project.
        patch: the changes on top of it; empty if there are none.
        left_out: changed and new files that the patch does not contain: see
            :class:`drnsr.tracking.git.Commit`.
        config: the composed configuration.
        choices: what it was composed from: see :func:`drnsr.tracking.runs.describe_run`; None for a
            run of an older version.
        environment: the installed packages, as the lines of a constraints file.
        data: hashes of the prepared data by name: ``train``, and the benchmarks.
        model_sha256: the hash of the model file; None if none was made.
        measures: the means of the evaluation, such as ``set5/model/psnr``.
        model_cost: see :class:`drnsr.evaluation.cost.Cost`; None if it was not measured.
        earlier: the parts of the training before, which are other runs.
        training_cost: seconds, samples per second, precision and skipped losses; None if they were
            not measured.
    """

    run_id: str
    name: str
    status: str
    commit: str
    patch: str
    left_out: tuple[str, ...]
    config: dict[str, Any]
    choices: dict[str, Any] | None
    environment: tuple[str, ...]
    data: Mapping[str, str]
    model_sha256: str | None
    measures: Mapping[str, float]
    model_cost: Mapping[str, float] | None
    training_cost: Mapping[str, float | str] | None
    earlier: tuple[EarlierPart, ...]

    @property
    def lost_sources(self) -> tuple[str, ...]:
        """Files of code and configuration of the run that are not recorded."""
        return tuple(path for path in self.left_out if is_source(path))

    @property
    def dirty(self) -> bool:
        """Whether the code that was run differs from the commit."""
        return bool(self.patch or self.lost_sources)


def find_record(run: str) -> RunRecord:
    """Find a run by its id, or by the model file that it made.

    For the parent run of a sweep, find the best job.

    Raises:
        TrackingError: if the store cannot be reached, or has no such run or model.
    """
    if Path(run).is_file():
        try:
            return record_of_model(file_sha256(Path(run)))
        except TrackingError as error:
            raise TrackingError(f"{run}: {error}") from error
    client = open_store()
    with tracking_errors():
        return _read(client, _best_job(client, client.get_run(run)))


def record_of_model(sha256: str) -> RunRecord:
    """Find the newest run that made a model with this hash, and of several one that has its file.

    Raises:
        TrackingError: if the store cannot be reached, or has no such run.
    """
    client = open_store()
    with tracking_errors():
        known = find_runs(client, sha256)
        if not known:
            raise TrackingError(f"this MLflow has no run that made the model {sha256}")
        return _read(client, client.get_run(next(verified_first(client, known, sha256))))


def record_of_training(fingerprint: str) -> RunRecord:
    """Find the newest run of a training that made a model.

    Args:
        fingerprint: see :attr:`drnsr.weights.native.Origin.fingerprint`.

    Raises:
        TrackingError: if the store cannot be reached, or has no such run.
    """
    client = open_store()
    with tracking_errors():
        known = find_runs(client, fingerprint, TRAINING_TAG)
        records = [_read(client, client.get_run(run_id)) for run_id in known]
        for record in records:
            if record.model_sha256 is not None:
                return record
    raise TrackingError(f"this MLflow has no run of the training {fingerprint[:16]}")


def read_evaluation(run_id: str) -> Evaluation:
    """Read the evaluation of a run's model.

    Raises:
        TrackingError: if the store cannot be reached, or the run was not evaluated.
    """
    client = open_store()
    names = (SUMMARY.name, PER_IMAGE.name)
    with tracking_errors(), tempfile.TemporaryDirectory() as folder:
        listed = {Path(file.path).name for file in client.list_artifacts(run_id, EVALUATION_FOLDER)}
        if not listed.issuperset(names):
            raise TrackingError(f"{run_id}: this run has not been evaluated")
        summary, rows = (
            Path(client.download_artifacts(run_id, f"{EVALUATION_FOLDER}/{name}", folder))
            for name in names
        )
        return Evaluation(json.loads(summary.read_text(encoding="utf-8")), read_rows(rows))


def _best_job(client: "MlflowClient", run: "Run") -> "Run":
    """Return the job of a sweep with the best value of its objective; else the run itself."""
    if OBJECTIVE_TAG not in run.data.tags:
        return run
    objective = Objective(run.data.tags[OBJECTIVE_TAG])
    jobs = [job for job in jobs_of(client, run) if job.info.status == "FINISHED"]
    found = {number: objective.value(_measures(job)) for number, job in enumerate(jobs)}
    values = {number: value for number, value in found.items() if value is not None}
    if not values:
        raise TrackingError(f"{run.info.run_id}: no job of this sweep has been evaluated")
    return jobs[objective.best(values)]


def _measures(run: "Run") -> dict[str, float]:
    """Return the numbers of a run as :class:`drnsr.tracking.jobs.Result` has them."""
    return {
        name.replace("/model/", "/"): value
        for name, value in run.data.metrics.items()
        if "/model/" in name or name == VAL_PSNR.name
    }


def _read(client: "MlflowClient", run: "Run") -> RunRecord:
    run_id = str(run.info.run_id)
    tags = recorded(run)
    if TRAINING_TAG not in tags:
        raise TrackingError(
            f"{run_id}: this run was not recorded by drnsr, or is a sweep without jobs"
        )
    listed = {file.path for file in client.list_artifacts(run_id)}
    texts = {
        name: _text(client, run_id, name) if name in listed else ""
        for name in ("config.yaml", "environment.txt", PATCH_FILE, LEFT_OUT_FILE, CHOICES_FILE)
    }
    try:
        config = _mapping(yaml.safe_load(texts["config.yaml"]))
        for key in ("model", "data", "benchmark", "trainer"):
            _mapping(config[key])
        choices = _mapping(json.loads(texts[CHOICES_FILE])) if texts[CHOICES_FILE] else None
        training_cost = _training_cost(run, config)
        earlier = tuple(map(EarlierPart.from_json, json.loads(tags.get(EARLIER_TAG, "[]"))))
    except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TrackingError(
            f"{run_id}: the configuration of this run is damaged ({reason})"
        ) from error
    return RunRecord(
        run_id=run_id,
        name=str(run.info.run_name),
        status=str(run.info.status),
        commit=tags.get(COMMIT_TAG, "unknown"),
        patch=texts[PATCH_FILE],
        left_out=tuple(texts[LEFT_OUT_FILE].splitlines()),
        config=config,
        choices=choices,
        environment=tuple(texts["environment.txt"].split()),
        data={k.removeprefix(DATA_TAG): v for k, v in tags.items() if k.startswith(DATA_TAG)},
        model_sha256=tags.get(MODEL_TAG),
        measures={name: v for name, v in run.data.metrics.items() if name.count("/") == 2},
        model_cost=_starting_with(MODEL_COST, run) or None,
        training_cost=training_cost,
        earlier=earlier,
    )


def _mapping(content: Any) -> dict[str, Any]:  # noqa: ANN401 (what a file holds)
    if not isinstance(content, dict):
        raise TypeError("expected keys and values")
    _check_size(content)
    return content


def _check_size(content: dict[str, Any]) -> None:
    """Refuse a configuration that nobody writes, such as one that grows by YAML's references."""
    waiting: list[tuple[Any, int]] = [(content, 0)]
    for _ in range(_MOST):
        if not waiting:
            return
        value, depth = waiting.pop()
        if isinstance(value, dict | list) and depth == _DEEPEST:
            raise ValueError("nested too deep")
        if isinstance(value, dict | list):
            inner = value.values() if isinstance(value, dict) else value
            waiting.extend((each, depth + 1) for each in inner)
    raise ValueError("too large")


def _training_cost(run: "Run", config: Mapping[str, Any]) -> dict[str, float | str] | None:
    numbers = _starting_with(TRAINING_COST, run)
    return {**numbers, "precision": config["trainer"]["precision"]} if numbers else None


def _starting_with(prefix: str, run: "Run") -> dict[str, float]:
    """Return the metrics whose names begin with a prefix, without the prefix."""
    return {
        name.removeprefix(prefix): value
        for name, value in run.data.metrics.items()
        if name.startswith(prefix)
    }


def _text(client: "MlflowClient", run_id: str, name: str) -> str:
    """Return a text artifact with its own line ends, without which a patch does not apply."""
    with tempfile.TemporaryDirectory() as folder:
        return Path(client.download_artifacts(run_id, name, folder)).read_bytes().decode()
