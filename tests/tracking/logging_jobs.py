"""Jobs that log at once, each in a process: python -m tests.tracking.logging_jobs URI FOLDER COUNT.

Each logs a metric about twenty times a second, and an artifact, until FOLDER/stop exists.
"""

import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np

from drnsr.images.encoding import encode_png
from drnsr.tracking.delivery import delivering
from drnsr.tracking.events import (
    EVALUATION,
    LogArtifact,
    LogDatasets,
    LogTable,
    SetDescription,
    SetStatus,
    UsedDataset,
    now,
)
from drnsr.tracking.logger import CurveLogger
from drnsr.tracking.outbox import Destination, Outbox
from drnsr.tracking.runs import describe_run
from drnsr.tracking.shown import RUN_ID, table_content
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
        data = UsedDataset("set5", "e" * 64, EVALUATION, 5, "data/prepared/benchmarks/set5")
        outbox.add(LogDatasets(datasets=(data,)))
        kept = outbox.keep("set5.json", table_content(["image"], [["bird.png"]]))
        outbox.add(LogTable(kept=kept, to="tables/set5.json"))
        logger.log_image("validation crop 1", encode_png(np.zeros((8, 8, 3), np.uint8)), step)
        outbox.add(SetDescription(markdown=f"run {RUN_ID}"))
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
