"""Jobs that log at once, each in a process: python -m tests.tracking.logging_jobs URI FOLDER COUNT.

Each logs a metric about twenty times a second, and an artifact, until FOLDER/stop exists.
"""

import multiprocessing
import sys
import time
from pathlib import Path

from drnsr.tracking.delivery import delivering
from drnsr.tracking.events import LogArtifact, SetStatus, now
from drnsr.tracking.logger import CurveLogger
from drnsr.tracking.outbox import Destination, Outbox
from drnsr.tracking.runs import describe_run
from drnsr.tracking.store import open_store

EXPERIMENT = "team"


def value(job: int, step: int) -> float:
    """The metric of a job at a step."""
    return job + 1 / step


def log_until_stopped(uri: str, folder: Path, job: int) -> None:
    """Do one job."""
    config = {"model": {"name": f"job{job}"}, "data": {"name": "none"}, "scale": 2, "seed": job}
    description = describe_run(config, {"train": "f" * 64}, f"{job:064x}")
    outbox = Outbox.begin(folder / "runs" / f"job{job}", Destination(uri, EXPERIMENT), description)
    logger = CurveLogger(outbox)
    step = 0
    with delivering(outbox):
        while step < 10 or not (folder / "stop").exists():
            step += 1
            logger.log_metrics({"loss": value(job, step)}, step)
            time.sleep(0.05)
        table = folder / f"job{job}.txt"
        table.write_text(f"{step}\n")
        outbox.add(LogArtifact(kept=outbox.keep_copy(table), to="evaluation"))
        outbox.add(SetStatus(status="FINISHED", time=now()))


def main() -> None:
    """Start the jobs, each a fork of this process, which has imported what they need."""
    uri, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    import mlflow.artifacts
    import mlflow.store.tracking.rest_store  # noqa: F401

    if uri.startswith("sqlite"):
        open_store(uri)
    fork = multiprocessing.get_context("fork")
    jobs = [fork.Process(target=log_until_stopped, args=(uri, folder, job)) for job in range(count)]
    for process in jobs:
        process.start()
    for process in jobs:
        process.join()
    sys.exit(any(process.exitcode for process in jobs))


if __name__ == "__main__":
    main()
