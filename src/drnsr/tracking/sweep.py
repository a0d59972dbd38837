"""A sweep, and the MLflow run that is the parent of those of its jobs."""

import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from drnsr.errors import printable, printable_lines
from drnsr.locks import LockedError, folder_lock
from drnsr.project import project_root
from drnsr.tracking.events import RunStatus
from drnsr.tracking.git import current_commit
from drnsr.tracking.jobs import end_killed_jobs, remove_jobs
from drnsr.tracking.shown import log_table, set_description, table_content, with_run_id
from drnsr.tracking.source import source_tags
from drnsr.tracking.store import (
    TrackingError,
    experiment_id,
    experiment_name,
    open_store,
    tracking_errors,
)
from drnsr.tracking.tags import COMMIT_TAG, SWEEP_TAG, runs_with
from drnsr.tracking.view import arrange_experiment

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger("drnsr")

# Names the parent run to a job, which may run in a separate process.
PARENT_RUN_VARIABLE = "DRNSR_PARENT_RUN"

# MLflow's own names; to import them here would import MLflow. A run has one parent.
PARENT_TAG = "mlflow.parentRunId"
RUN_NAME_TAG = "mlflow.runName"

OBJECTIVE_TAG = "drnsr.objective"
ERROR_TAG = "drnsr.error"
_FOLDER_TAG = "drnsr.sweep_folder"

_TABLE = "jobs.json"
_LONGEST_ERROR = 2000  # characters of a tag; MLflow takes 8000
_MOST_JOBS = 10_000  # of a sweep, as MLflow lists them


@dataclass(frozen=True)
class Sweep:
    """A sweep that this process started.

    Attributes:
        folder: has the folders of the jobs.
        objective: see :class:`drnsr.tracking.objective.Objective`.
        run_id: of the parent run; None if there is none.
        launcher: Hydra's name of what runs the jobs.
    """

    folder: Path
    objective: str
    run_id: str | None
    launcher: str


_current: Sweep | None = None


def current_sweep() -> Sweep | None:
    """Return the sweep that this process has started and not ended."""
    return _current


class ParentRun(Callback):
    """Hydra's callback that begins a sweep before the first job of a multirun."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401 (Hydra's)
        """Begin the sweep."""
        folder = Path(config.hydra.sweep.dir).absolute()
        remove_jobs(folder)
        begin_sweep(
            folder,
            name=" ".join(config.hydra.overrides.task) or "sweep",
            experiment=config.logger.experiment,
            source=source_tags("pipelines.train", user=config.logger.user),
            objective=config.sweep.objective,
            launcher=config.hydra.runtime.choices["hydra/launcher"],
        )


def begin_sweep(
    folder: Path,
    *,
    name: str,
    experiment: str | None,
    source: Mapping[str, str],
    objective: str,
    launcher: str,
    is_locked: bool = True,
    run_id: str | None = None,
) -> Sweep:
    """Begin a sweep, whose jobs are then recorded under one parent run.

    Args:
        folder: of the sweep alone.
        name: of the parent run.
        experiment: the name of the MLflow experiment; None if the runs are not tracked.
        source: tags of the parent run: see :func:`drnsr.tracking.source.source_tags`.
        objective: see :class:`drnsr.tracking.objective.Objective`.
        launcher: Hydra's name of what runs the jobs.
        is_locked: whether this process has the lock of the folder while the sweep runs.
        run_id: of a parent run to go on in, if the store has it; None to begin one.
    """
    global _current
    if run_id is not None and not (experiment is not None and _goes_on(run_id)):
        run_id = None
    if run_id is not None:
        os.environ[PARENT_RUN_VARIABLE] = run_id
    elif experiment is not None:
        try:
            with tracking_errors():
                tags = {RUN_NAME_TAG: printable(name), OBJECTIVE_TAG: objective, **source}
                run_id = _begin_parent(folder if is_locked else None, experiment, tags)
            os.environ[PARENT_RUN_VARIABLE] = run_id
        except TrackingError as error:
            log.warning("%s; the jobs go on without a parent run", error)
    _current = Sweep(folder, objective, run_id, launcher)
    return _current


def leave_sweep() -> None:
    """Leave the sweep of this process to others that go on with it."""
    global _current
    _current = None
    os.environ.pop(PARENT_RUN_VARIABLE, None)


def _goes_on(run_id: str) -> bool:
    """Let a parent run go on; return whether the store has it."""
    try:
        with tracking_errors():
            open_store().update_run(run_id, "RUNNING")
    except TrackingError:
        return False
    return True


def _begin_parent(folder: Path | None, experiment: str, tags: dict[str, str]) -> str:
    client = open_store()
    experiment = experiment_id(client, experiment_name(experiment))
    arrange_experiment(client, experiment)
    _end_killed(client, experiment)
    tags[COMMIT_TAG] = current_commit().sha
    if folder is not None and folder.is_relative_to(project_root()):
        tags[_FOLDER_TAG] = folder.relative_to(project_root()).as_posix()
    return str(client.create_run(experiment, tags=tags).info.run_id)


def _end_killed(client: "MlflowClient", experiment: str) -> None:
    """End the parent runs of sweeps on this machine that were killed, and so still run in MLflow.

    The process of a sweep has the lock of its folder.
    """
    for run in client.search_runs(
        [experiment], f"status = 'RUNNING' and tags.`{_FOLDER_TAG}` != ''"
    ):
        folder = project_root() / run.data.tags[_FOLDER_TAG]
        if not folder.is_dir():
            continue  # on another machine, or removed
        try:
            with folder_lock(folder):
                end_killed_jobs(folder)
                _end_with_jobs(client, run, "KILLED", "the process of the sweep was killed")
        except LockedError:
            continue


def end_sweep(
    status: RunStatus,
    error: str = "",
    files: Sequence[Path] = (),
    table: Sequence[Mapping[str, Any]] = (),
    description: str = "",
) -> None:
    """End the sweep of this process, with its parent run and what a killed job left running.

    Args:
        status: of the parent run.
        error: why the sweep failed; empty if it did not.
        files: artifacts of the parent run.
        table: a row for each job, for MLflow's own view of tables.
        description: of the parent run: see
            :func:`drnsr.tracking.description.describe_sweep`; empty for none.
    """
    global _current
    sweep, _current = _current, None
    os.environ.pop(PARENT_RUN_VARIABLE, None)
    if sweep is None or sweep.run_id is None:
        return
    try:
        with tracking_errors():
            client = open_store()
            _end_with_jobs(client, client.get_run(sweep.run_id), status, error)
            for file in files:
                client.log_artifact(sweep.run_id, str(file))
            if table:
                _log_jobs(client, sweep.run_id, table)
            if description:
                set_description(client, sweep.run_id, with_run_id(description, sweep.run_id))
    except TrackingError as reason:
        log.warning("%s; the parent run stays open there", reason)


def _log_jobs(client: "MlflowClient", run_id: str, table: Sequence[Mapping[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / _TABLE
        file.write_bytes(table_content(list(table[0]), [list(row.values()) for row in table]))
        log_table(client, run_id, file, _TABLE)


def _end_with_jobs(client: "MlflowClient", parent: "Run", status: RunStatus, error: str) -> None:
    for run in jobs_of(client, parent):
        if run.info.status == "RUNNING":
            client.set_tag(run.info.run_id, ERROR_TAG, "the process of the job was killed")
            client.set_terminated(run.info.run_id, "KILLED")
    if error:
        client.set_tag(parent.info.run_id, ERROR_TAG, recorded_error(error))
    client.set_terminated(parent.info.run_id, status)


def recorded_error(error: str) -> str:
    """Return an error as MLflow is to have it: without the folder of the project."""
    return printable_lines(error).replace(f"{project_root()}{os.sep}", "")[:_LONGEST_ERROR]


def sweep_tags() -> dict[str, str]:
    """Return the tags by which a run belongs to the sweep that this process is a part of."""
    parent = os.environ.get(PARENT_RUN_VARIABLE)
    return {PARENT_TAG: parent, f"{SWEEP_TAG}{parent}": "true"} if parent else {}


def jobs_of(client: "MlflowClient", parent: "Run") -> list["Run"]:
    """Return the runs of a sweep's jobs; none if the run is not the parent of a sweep."""
    experiment, tag = [parent.info.experiment_id], f"{SWEEP_TAG}{parent.info.run_id}"
    return runs_with(client, experiment, tag, "true", max_results=_MOST_JOBS)
