"""From outboxes to MLflow, beside the work that writes them."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import Timeout

from drnsr.hashing import file_sha256
from drnsr.tracking.outbox import Cursor, Outbox
from drnsr.tracking.runs import (
    MODEL_TAG,
    begin_run,
    copy_evaluation,
    find_runs,
    log_model,
)
from drnsr.tracking.store import TrackingError, experiment_id, open_store, tracking_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger("drnsr")

# Seconds: between two looks at a outbox; at most between two tries of a store that is away;
# without any progress, until a run that is over waits for the store no more.
_PERIOD = 1.0
_LONGEST_PERIOD = 30.0
_STALLED = 20.0

_POINTS_AT_A_TIME = 1000  # MLflow takes no more


@contextmanager
def delivering(outbox: Outbox) -> Iterator[None]:
    """Deliver a outbox while the block adds to it, and the rest at its end.

    A store that is away is told once, and holds up nothing. If the block fails, so does this, at
    once: what waits is delivered when the run goes on, or by ``drnsr sync``.
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
        if outbox.waiting:
            log.warning(
                "MLflow at %s misses a part of the run, kept in %s: `drnsr sync` delivers it",
                outbox.destination.address,
                outbox.folder,
            )


def _wait(thread: threading.Thread, outbox: Outbox, patience: float) -> None:
    """Wait for the last delivery, as long as the store takes something now and then."""
    delivered, since = outbox.delivered, time.monotonic()
    while thread.is_alive() and time.monotonic() < since + patience:
        thread.join(0.1)
        if outbox.delivered != delivered:
            delivered, since = outbox.delivered, time.monotonic()


def _deliver_until(outbox: Outbox, stopping: threading.Event) -> None:
    period = _PERIOD
    away = False
    last = False
    while not last:
        last = stopping.wait(period)
        try:
            deliver(outbox)
        except TrackingError as error:
            period = min(2 * period, _LONGEST_PERIOD)
            if not away:
                log.warning("%s; the run goes on, and what MLflow misses is kept for it", error)
            away = True
        else:
            period = _PERIOD
            if away:
                log.info("MLflow is there again")
            away = False


def deliver(outbox: Outbox) -> None:
    """Tell the store all that it does not have yet.

    Raises:
        TrackingError: the store is away or takes no more; what it took is noted.
    """
    if not outbox.waiting:
        return
    address = outbox.destination.address
    try:
        with outbox.lock().acquire(timeout=0), tracking_errors(address):
            client = open_store(address)
            delivered = _begun(client, outbox)
            run_id = str(delivered.run_id)
            for position, entry in _batched(outbox.entries(delivered.position)):
                _do(client, run_id, outbox, entry)
                outbox.mark_delivered(Cursor(run_id, position))
    except Timeout:
        raise TrackingError(f"{outbox.folder}: another process delivers it") from None


def _begun(client: "MlflowClient", outbox: Outbox) -> Cursor:
    """The run, made if the store does not have it."""
    from mlflow.exceptions import MlflowException

    delivered = outbox.delivered
    if delivered.run_id is not None:
        try:
            client.get_run(delivered.run_id)
            return delivered
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            log.info("this MLflow does not know the run: telling it from the start")
    experiment = experiment_id(client, outbox.destination.experiment)
    delivered = Cursor(begin_run(client, experiment, outbox.description))
    outbox.mark_delivered(delivered)
    return delivered


def _batched(
    entries: Iterator[tuple[int, dict[str, Any]]],
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Entries of metrics that follow each other as one."""
    points: list[list[Any]] = []
    end = 0
    for position, entry in entries:
        if entry["do"] == "metrics" and len(points) + len(entry["points"]) <= _POINTS_AT_A_TIME:
            points += entry["points"]
        else:
            if points:
                yield end, {"do": "metrics", "points": points}
            points = []
            if entry["do"] == "metrics":
                points = entry["points"]
            else:
                yield position, entry
        end = position
    if points:
        yield end, {"do": "metrics", "points": points}


def _do(client: "MlflowClient", run_id: str, outbox: Outbox, entry: Mapping[str, Any]) -> None:
    """Tell one entry; told again, it changes nothing."""
    kept = outbox.folder / entry["kept"] if "kept" in entry else None
    if kept is not None and not kept.exists():
        return  # this store, or another in its place, has had it
    match entry["do"]:
        case "metrics":
            from mlflow.entities import Metric

            client.log_batch(run_id, metrics=[Metric(*point) for point in entry["points"]])
        case "tags":
            for name, value in entry["tags"].items():
                client.set_tag(run_id, name, value)
        case "artifact":
            assert kept is not None
            _log_artifact(client, run_id, kept, entry["to"])
        case "model":
            assert kept is not None
            if client.get_run(run_id).data.tags.get(MODEL_TAG) != file_sha256(kept):
                log_model(client, run_id, kept, bytes.fromhex(entry["example"]))
        case "evaluation of the same model":
            copy_evaluation(client, find_runs(client, entry["model_sha256"]), run_id)
        case "status":
            end = None if entry["status"] == "RUNNING" else entry["time"]
            if end is None:
                client.update_run(run_id, status="RUNNING")
            else:
                client.set_terminated(run_id, entry["status"], end)
    if kept is not None:
        outbox.drop(entry["kept"])


def _log_artifact(client: "MlflowClient", run_id: str, kept: Path, to: str) -> None:
    if kept.is_dir():
        client.log_artifacts(run_id, str(kept), f"{to}/{kept.name}")
    else:
        client.log_artifact(run_id, str(kept), to)
