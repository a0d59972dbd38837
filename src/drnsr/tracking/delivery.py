"""Deliver outboxes to MLflow, in a thread beside the work that fills them."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from filelock import Timeout

from drnsr.hashing import file_sha256
from drnsr.tracking.evaluations import copy_evaluation
from drnsr.tracking.events import (
    EVALUATION,
    CopyEvaluation,
    Event,
    LogArtifact,
    LogDatasets,
    LogImage,
    LogMetrics,
    LogModel,
    LogTable,
    Point,
    SetDescription,
    SetStatus,
    SetTags,
)
from drnsr.tracking.outbox import Cursor, Outbox
from drnsr.tracking.runs import begin_run, find_runs, log_model, verified_first
from drnsr.tracking.shown import (
    log_datasets,
    log_image,
    log_table,
    set_description,
    with_run_id,
)
from drnsr.tracking.store import TrackingError, experiment_id, open_store, tracking_errors
from drnsr.tracking.tags import MODEL_TAG, stored
from drnsr.tracking.view import arrange_experiment, main_benchmark

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger("drnsr")

# In seconds: between two deliveries; at most between two attempts at a store that cannot be
# reached; without any progress, until a run that is over stops waiting for the store.
_PERIOD = 1.0
_LONGEST_PERIOD = 30.0
_STALLED = 20.0

_MAX_POINTS = 1000  # MLflow's limit for one request

Kept = LogArtifact | LogModel | LogTable | LogImage
"""Events with a copy of a file or folder."""


@contextmanager
def delivering(outbox: Outbox) -> Iterator[None]:
    """Deliver an outbox while the block adds to it, and the rest at the end of the block.

    A store that cannot be reached is reported once, and delays nothing. If the block fails, the
    delivery ends at once: the rest is delivered when the run is resumed, or by ``drnsr sync``.
    """
    stopping = threading.Event()
    thread = threading.Thread(
        target=_deliver_until, args=(outbox, stopping), name="MLflow", daemon=True
    )
    thread.start()
    patience = 1.0
    try:
        yield
        patience = _STALLED
    finally:
        stopping.set()
        _wait(thread, outbox, patience)
        if outbox.undelivered:
            log.warning(
                "MLflow at %s misses a part of the run, kept in %s: `drnsr sync` delivers it",
                outbox.destination.name,
                outbox.folder,
            )


def _wait(thread: threading.Thread, outbox: Outbox, patience: float) -> None:
    """Wait for the last delivery until the store has accepted nothing for ``patience`` seconds."""
    cursor, since = outbox.cursor, time.monotonic()
    while thread.is_alive() and time.monotonic() < since + patience:
        thread.join(0.1)
        if outbox.cursor != cursor:
            cursor, since = outbox.cursor, time.monotonic()


def _deliver_until(outbox: Outbox, stopping: threading.Event) -> None:
    period = _PERIOD
    failing = False
    last = False
    while not last:
        last = stopping.wait(period)
        try:
            deliver(outbox)
        except TrackingError as error:
            period = min(2 * period, _LONGEST_PERIOD)
            if not failing:
                log.warning("%s; the run goes on, and what MLflow misses is kept for it", error)
            failing = True
        else:
            period = _PERIOD
            if failing:
                log.info("MLflow can be reached again")
            failing = False


def deliver(outbox: Outbox) -> None:
    """Deliver everything that the store does not have yet.

    Raises:
        TrackingError: if the store cannot be reached or accepts no more; what it has accepted is
            recorded.
    """
    if not outbox.undelivered:
        return
    address = outbox.destination.address
    try:
        with outbox.lock().acquire(timeout=0), tracking_errors(address):
            client = open_store(address)
            cursor = _begin(client, outbox)
            run_id = str(cursor.run_id)
            for position, event in _batched(outbox.events(cursor.position)):
                _apply(client, run_id, outbox, event)
                outbox.move_cursor(Cursor(run_id, position))
    except Timeout:
        raise TrackingError(f"{outbox.folder}: another process delivers it") from None


def _begin(client: "MlflowClient", outbox: Outbox) -> Cursor:
    """Make the run if the store does not have it; return where the delivery goes on."""
    from mlflow.exceptions import MlflowException

    cursor = outbox.cursor
    if cursor.run_id is not None:
        try:
            run = client.get_run(cursor.run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            log.info("this MLflow does not have the run: delivering it from the start")
        else:
            _refuse_deleted(client, run, outbox.destination.experiment)
            return cursor
    experiment = experiment_id(client, outbox.destination.experiment)
    arrange_experiment(client, experiment)
    cursor = Cursor(begin_run(client, experiment, outbox.description))
    outbox.move_cursor(cursor)
    return cursor


def _refuse_deleted(client: "MlflowClient", run: "Run", experiment: str) -> None:
    if run.info.lifecycle_stage == "deleted":
        experiment_id(client, experiment)  # it may have been deleted with all its runs
        raise TrackingError(
            f"the run {run.info.run_id} was deleted in MLflow: `mlflow runs restore --run-id"
            f" {run.info.run_id}` restores it"
        )


def _batched(events: Iterator[tuple[int, Event]]) -> Iterator[tuple[int, Event]]:
    """Join successive events of metrics, up to the limit of one request."""
    points: list[Point] = []
    end = 0
    for position, event in events:
        new = event.points if isinstance(event, LogMetrics) else ()
        if points and not (new and len(points) + len(new) <= _MAX_POINTS):
            yield end, LogMetrics(points=tuple(points))
            points = []
        if new:
            points += new
        else:
            yield position, event
        end = position
    if points:
        yield end, LogMetrics(points=tuple(points))


def _apply(client: "MlflowClient", run_id: str, outbox: Outbox, event: Event) -> None:
    """Record one event in the store; repeating it changes nothing."""
    match event:
        case LogMetrics():
            from mlflow.entities import Metric

            client.log_batch(run_id, metrics=[Metric(*point) for point in event.points])
        case SetTags():
            for name, value in stored(event.tags).items():
                client.set_tag(run_id, name, value)
        case LogDatasets():
            log_datasets(client, run_id, event.datasets)
            if evaluated := [used.name for used in event.datasets if used.context == EVALUATION]:
                experiment = client.get_run(run_id).info.experiment_id
                arrange_experiment(client, experiment, main_benchmark(evaluated))
        case SetDescription():
            set_description(client, run_id, with_run_id(event.markdown, run_id))
        case LogArtifact() | LogModel() | LogTable() | LogImage():
            copy = outbox.folder / event.kept
            if copy.exists():  # it is removed when a store, this or an earlier one, has it
                _upload(client, run_id, copy, event)
                outbox.drop_copy(event.kept)
        case CopyEvaluation():
            known = find_runs(client, event.model_sha256)
            copy_evaluation(client, verified_first(client, known, event.model_sha256), run_id)
        case SetStatus(status="RUNNING"):
            client.update_run(run_id, status="RUNNING")
        case SetStatus():
            client.set_terminated(run_id, event.status, event.time)
        case _:
            assert_never(event)


def _upload(client: "MlflowClient", run_id: str, copy: Path, event: Kept) -> None:
    match event:
        case LogModel():
            if client.get_run(run_id).data.tags.get(MODEL_TAG) != file_sha256(copy):
                log_model(client, run_id, copy, event.example)
        case LogTable():
            log_table(client, run_id, copy, event.to)
        case LogImage():
            log_image(client, run_id, copy, event)
        case LogArtifact():
            if copy.is_dir():
                client.log_artifacts(run_id, str(copy), f"{event.to}/{copy.name}")
            else:
                client.log_artifact(run_id, str(copy), event.to)
        case _:
            assert_never(event)
