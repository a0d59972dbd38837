"""What became of each job of a sweep: a file in the job's folder, whichever process ran it."""

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from drnsr.atomic import write_text

_FILE = "job.json"

JobStatus = Literal["running", "finished", "failed", "ended", "pruned"]


@dataclass(frozen=True)
class Result:
    """What a training gave, with its evaluation if there was one.

    Attributes:
        output: the folder of the model, the metrics and the pictures.
        objective: see :class:`drnsr.tracking.objective.Objective`; None if it was not measured.
        measures: ``val_psnr``, and the model's means such as ``set5/psnr``.
        run_id: of the MLflow run; None if the run is not tracked, or MLflow could not be reached.
        is_earlier: whether another command made it.
    """

    output: str
    objective: float | None
    measures: Mapping[str, float]
    run_id: str | None = None
    is_earlier: bool = False


@dataclass(frozen=True)
class JobRecord:
    """A job of a sweep.

    Attributes:
        number: in the sweep, from 0.
        overrides: the choices and values of the job, by their names on the command line.
        status: "ended" by a signal; "running" also if its process was killed, until the sweep goes
            on.
        error: why it failed; empty if it did not.
        result: None if there is none.
    """

    number: int
    overrides: Mapping[str, str]
    status: JobStatus = "running"
    error: str = ""
    result: Result | None = None

    def ended(
        self, status: JobStatus, error: str = "", result: Result | None = None
    ) -> "JobRecord":
        """Return the record of the job after its end."""
        return replace(self, status=status, error=error, result=result)

    def write(self, folder: Path) -> None:
        """Write the record into the job's folder."""
        write_text(folder / _FILE, json.dumps(asdict(self), indent=2) + "\n")


def read_jobs(sweep: Path) -> list[JobRecord]:
    """Return the records of the jobs of a sweep in their order.

    Args:
        sweep: the folder of the sweep, which has those of its jobs.
    """
    jobs = [_parse(json.loads(file.read_text(encoding="utf-8"))) for file in _files(sweep)]
    return sorted(jobs, key=lambda job: job.number)


def end_killed_jobs(sweep: Path, running: Container[int] = ()) -> None:
    """Mark the jobs of a sweep whose processes were killed, which could not do so themselves.

    Args:
        sweep: the folder of the sweep.
        running: the numbers of the jobs that do run.
    """
    for file in _files(sweep):
        job = _parse(json.loads(file.read_text(encoding="utf-8")))
        if job.status == "running" and job.number not in running:
            job.ended("ended", "its process was killed").write(file.parent)


def varied_overrides(jobs: Sequence[JobRecord]) -> list[str]:
    """Return the names of the overrides in which the jobs of a sweep differ; all for one job."""
    names = list(dict.fromkeys(name for job in jobs for name in job.overrides))
    differing = [name for name in names if len({job.overrides.get(name) for job in jobs}) > 1]
    return differing or names


def remove_jobs(sweep: Path) -> None:
    """Remove the records that an earlier sweep left in the same folder."""
    for file in _files(sweep):
        file.unlink()


def _files(sweep: Path) -> list[Path]:
    return list(sweep.rglob(_FILE))


def _parse(content: dict[str, Any]) -> JobRecord:
    result = content.pop("result")
    return JobRecord(**content, result=None if result is None else Result(**result))
