"""A job of a multirun, and the end of the whole: what Hydra leaves to the app."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from drnsr.config.compose import validate
from drnsr.config.schema import Config
from drnsr.errors import SignalError, UserError, printable_lines, reason
from drnsr.signals import sigterm_exits
from drnsr.tracking.jobs import JobRecord, Result, read_jobs, varied_overrides
from drnsr.tracking.sweep import current_sweep, end_sweep

log = logging.getLogger("drnsr")

Stage = Callable[[Config], Result | None]


class JobError(UserError):
    """A job failed; the sweep goes on. A launcher can send this to another process."""


class SweepError(UserError):
    """Jobs of a sweep failed; the message names each with its reason."""


def run_job(stage: Stage, composed: DictConfig) -> float | None:
    """Run a stage as a job of a multirun, and keep what became of it in the job's folder.

    Returns:
        The objective, for Hydra's sweepers.

    Raises:
        JobError: if it failed; Hydra records that, and runs the other jobs.
        SystemExit: if a signal came, which ends the sweep.
    """
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    overrides = (override.partition("=") for override in hydra.overrides.task)
    record = JobRecord(hydra.job.num, {key.lstrip("+"): value for key, _, value in overrides})
    record.write(folder)
    try:
        with sigterm_exits():
            result = stage(validate(composed))
    except (SignalError, KeyboardInterrupt, SystemExit) as error:
        record.ended("ended").write(folder)
        if not isinstance(error, SignalError):
            raise
        print(f"error: {printable_lines(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as error:
        log.error(
            "job %s: %s", record.number, reason(error), exc_info=not isinstance(error, UserError)
        )
        record.ended("failed", reason(error)).write(folder)
        raise JobError(reason(error)) from None
    record.ended("finished", result=result).write(folder)
    return None if result is None else result.objective


@contextmanager
def reported_sweep() -> Iterator[None]:
    """End the sweep that Hydra begins in the block, if it begins one, and report its failed jobs.

    Raises:
        SweepError: if jobs failed.
    """
    with sigterm_exits():
        try:
            yield
        except BaseException as error:
            _end(error)
            raise
        _end(None)


def _end(error: BaseException | None) -> None:
    sweep = current_sweep()
    if sweep is None:
        return
    if isinstance(error, KeyboardInterrupt | SystemExit):
        end_sweep("KILLED")
        return
    jobs = read_jobs(sweep.folder)
    failed = [job for job in jobs if job.status in ("failed", "running")]
    if failed:
        message = _message(jobs, failed)
        end_sweep("FAILED", message)
        raise SweepError(message) from error
    if error is not None:
        end_sweep("FAILED", reason(error))
    else:
        end_sweep("FINISHED")


def _message(jobs: list[JobRecord], failed: list[JobRecord]) -> str:
    lines = [f"{len(failed)} of {len(jobs)} jobs failed:"]
    varied = varied_overrides(jobs)
    for job in failed:
        overrides = " ".join(f"{key}={job.overrides.get(key)}" for key in varied)
        error = job.error or "its process was killed (maybe memory ran out)"
        lines.append(f"  job {job.number} ({overrides}): {error}")
    return "\n".join(lines)
