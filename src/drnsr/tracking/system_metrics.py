"""What a training takes of the machine: MLflow's system metrics, by way of the outbox.

MLflow's own monitor speaks to the store itself, and ends if that cannot be reached. Here a thread
beside the training reads the same numbers, and delivery brings them to the store.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from drnsr.tracking.events import LogMetrics, Point, now
from drnsr.tracking.outbox import Outbox
from drnsr.tracking.store import import_mlflow

SYSTEM = "system/"
"""The prefix by which MLflow's pages know these metrics."""

log = logging.getLogger("drnsr")

# MLflow's own variables.
_SWITCH = "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"
_INTERVAL = "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"

_SECONDS = 10.0  # between two samples, at first
_SAMPLES = 360  # in the time up to now, at most: a training of days has rarer ones


@contextmanager
def recording_system_metrics(outbox: Outbox) -> Iterator[None]:
    """Add samples to an outbox while the block runs, and one at its end.

    ``MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING=false`` turns them off, and
    ``MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL`` sets the seconds between two.
    """
    if os.environ.get(_SWITCH, "true").lower() in ("false", "0"):
        yield
        return
    stopping = threading.Event()
    thread = threading.Thread(
        target=_record_until, args=(outbox, stopping), name="system metrics", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _record_until(outbox: Outbox, stopping: threading.Event) -> None:
    try:
        _sample_until(outbox, stopping)
    except Exception as error:  # of a system that hides a number, or a full disk
        log.info("no more system metrics: %s", error)


def _sample_until(outbox: Outbox, stopping: threading.Event) -> None:
    monitors = _monitors()
    _sample(monitors)  # the next one gives the load since this one
    chosen = os.environ.get(_INTERVAL)
    start, step = time.monotonic(), _next_step(outbox)
    last = False
    while not last:
        growing = (time.monotonic() - start) / _SAMPLES
        last = stopping.wait(float(chosen) if chosen else max(_SECONDS, growing))
        at = now()
        values = _sample(monitors)
        points = [Point(f"{SYSTEM}{name}", value, at, step) for name, value in values.items()]
        outbox.add(LogMetrics(points=tuple(points)))
        step += 1


def _monitors() -> list[Any]:
    import_mlflow()
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    always: list[Any] = [CPUMonitor, DiskMonitor, NetworkMonitor]  # MLflow gives them no types
    monitors = [monitor() for monitor in always]
    with suppress(ImportError, RuntimeError):  # no NVIDIA GPU, or no nvidia-ml-py to ask it by
        gpu: Any = GPUMonitor
        monitors.append(gpu())
    return monitors


def _sample(monitors: list[Any]) -> dict[str, float]:
    values: dict[str, float] = {}
    for monitor in monitors:
        monitor.collect_metrics()
        values |= monitor.aggregate_metrics()
        monitor.clear_metrics()
    return values


def _next_step(outbox: Outbox) -> int:
    """Return the number of the next sample: a training that is resumed has some already."""
    steps = [
        point.step
        for _, event in outbox.events()
        if isinstance(event, LogMetrics)
        for point in event.points
        if point.name.startswith(SYSTEM)
    ]
    return 1 + max(steps, default=-1)
