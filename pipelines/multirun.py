"""A job of a multirun, and the end of the whole: what Hydra leaves to the app."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from drnsr.config.compose import validate
from drnsr.config.schema import Config
from drnsr.errors import PrunedError, SignalError, UserError, printable_lines, reason
from drnsr.reporting.sweep import best_job, table_of, write_sweep
from drnsr.signals import signals_exit
from drnsr.tracking.events import RunStatus
from drnsr.tracking.jobs import JobRecord, Result, read_jobs, varied_overrides
from drnsr.tracking.sweep import Sweep, current_sweep, end_sweep, leave_sweep
from pipelines.ray_tasks import end_tasks
from pipelines.sharing import LOCAL_LAUNCHERS, own_share

log = logging.getLogger("drnsr")

# Of this process, after a signal ended the job that it ran for a sweep of another process.
_exit_code: int | None = None

# The number of the sweep's process, for its jobs in other processes of this machine.
_SWEEP_PROCESS = "DRNSR_SWEEP_PROCESS"

_LONGEST_END = 60.0  # seconds that the jobs of a sweep have to write their states

Stage = Callable[[Config], Result | None]


class JobError(UserError):
    """A job failed; the sweep goes on. A launcher can send this to another process."""


class SweepError(UserError):
    """Jobs of a sweep failed; the message names each with its reason."""


@contextmanager
def ended_with_sweep(launcher: str) -> Iterator[None]:
    """Exit after the block if the process of the sweep was killed before or meanwhile.

    Joblib's workers would wait for it forever, with all their memory.

    Args:
        launcher: Hydra's name of it; the jobs of some are on other machines.
    """
    try:
        yield
    finally:
        is_other = launcher in LOCAL_LAUNCHERS and current_sweep() is None
        if is_other and not _is_alive(int(os.environ[_SWEEP_PROCESS])):
            logging.shutdown()
            os._exit(1)


def _is_alive(process: int) -> bool:
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def run_job(stage: Stage, composed: DictConfig) -> float | None:
    """Run a stage as a job of a multirun, and keep what became of it in the job's folder.

    Returns:
        The objective, for Hydra's sweepers.

    Raises:
        PrunedError: if its study ended it.
        JobError: if it failed; Hydra records that, and runs the other jobs.
        SystemExit: if a signal came, which ends the sweep.
    """
    with ended_with_sweep(_launcher()):
        return _run_job(stage, composed)


def _run_job(stage: Stage, composed: DictConfig) -> float | None:
    if _exit_code is not None:
        sys.exit(_exit_code)  # joblib gives the process its next job
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    overrides = (override.partition("=") for override in hydra.overrides.task)
    record = JobRecord(hydra.job.num, {key.lstrip("+"): value for key, _, value in overrides})
    record.write(folder)
    if current_sweep() is None:
        # Ctrl-C reaches the process of the sweep alone, which lets this one end (`_end_jobs`).
        os.setpgid(0, 0)
    try:
        with signals_exit(), _own_share(composed):
            result = stage(validate(composed))
    except (SignalError, KeyboardInterrupt, SystemExit) as error:
        record.ended("ended").write(folder)
        _remember_end(error)
        if not isinstance(error, SignalError):
            raise
        print(f"error: {printable_lines(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except PrunedError as error:
        log.info("job %s: %s", record.number, error)
        record.ended("pruned", str(error)).write(folder)
        raise
    except Exception as error:
        log.error(
            "job %s: %s", record.number, reason(error), exc_info=not isinstance(error, UserError)
        )
        record.ended("failed", reason(error)).write(folder)
        raise JobError(reason(error)) from None
    record.ended("finished", result=result).write(folder)
    return None if result is None else result.objective


def _remember_end(error: BaseException) -> None:
    global _exit_code
    if current_sweep() is None:
        _exit_code = error.exit_code if isinstance(error, SignalError) else 128 + signal.SIGTERM


def _own_share(composed: DictConfig) -> AbstractContextManager[None]:
    trainer = composed.trainer
    return own_share(_launcher(), trainer.accelerator, int(trainer.threads), int(trainer.devices))


def _launcher() -> str:
    return str(HydraConfig.get().runtime.choices["hydra/launcher"])


@contextmanager
def reported_sweep() -> Iterator[None]:
    """End the sweep that Hydra begins in the block, if it begins one, and report its failed jobs.

    Raises:
        SweepError: if jobs failed.
    """
    os.environ[_SWEEP_PROCESS] = str(os.getpid())
    with signals_exit(before=_end_jobs):
        try:
            yield
        except BaseException as error:
            _end(error)
            raise
        _end(None)


def _end_jobs() -> None:
    """Let jobs in processes of their own end, and wait until their states are written.

    Joblib would kill all of them as soon as one has ended.
    """
    sweep = current_sweep()
    if sweep is None or sweep.launcher not in (*LOCAL_LAUNCHERS, "ray"):
        return
    if sweep.launcher == "ray":
        end_tasks()
    else:
        for process in psutil.Process().children():
            process.terminate()
    deadline = time.monotonic() + _LONGEST_END
    while any(job.status == "running" for job in read_jobs(sweep.folder)):
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)


def _end(error: BaseException | None) -> None:
    sweep = current_sweep()
    if sweep is None:
        return
    jobs = read_jobs(sweep.folder)
    if isinstance(error, KeyboardInterrupt | SystemExit):
        _close(sweep, jobs, "KILLED")
        return
    failed = [job for job in jobs if job.status in ("failed", "running")]
    if failed:
        message = _message(jobs, failed)
        _close(sweep, jobs, "FAILED", message)
        raise SweepError(message) from error
    if error is not None:
        _close(sweep, jobs, "FAILED", reason(error))
    else:
        _close(sweep, jobs, "FINISHED")


def end_study(error: BaseException | None, *, is_last: bool) -> None:
    """End the part of this process in a study, and the study if it is the last one.

    Raises:
        SweepError: if trials failed.
    """
    sweep = current_sweep()
    if sweep is None:
        return
    jobs = read_jobs(sweep.folder)
    failed = [job for job in jobs if job.status == "failed"]
    message = _message(jobs, failed) if failed else ""
    if is_last:
        by_signal = isinstance(error, KeyboardInterrupt | SystemExit)
        status: RunStatus = "KILLED" if by_signal else "FAILED" if error or failed else "FINISHED"
        _close(sweep, jobs, status, message)
    else:
        leave_sweep()
    if failed and error is None:
        raise SweepError(message)


def _close(sweep: Sweep, jobs: list[JobRecord], status: RunStatus, error: str = "") -> None:
    """Write what the jobs of a sweep gave, and end its parent run with it."""
    from drnsr.tracking.description import describe_sweep

    if not jobs:
        end_sweep(status, error)
        return
    table, verdict = table_of(jobs), _verdict(jobs, sweep)
    files = _write(jobs, sweep, verdict)
    end_sweep(status, error, files, table, describe_sweep(sweep.objective, verdict, table))


def _verdict(jobs: list[JobRecord], sweep: Sweep) -> str:
    """Name the best job with its value; empty if none was measured."""
    best = best_job(jobs, sweep.objective)
    if best is None or best.result is None:
        return ""
    return f"best: job {best.number}, {sweep.objective} {best.result.objective}"


def _write(jobs: list[JobRecord], sweep: Sweep, verdict: str) -> list[Path]:
    """Write the table and the plots of a sweep, and log which job is the best."""
    try:
        files = write_sweep(sweep.folder, jobs, sweep.objective)
    except Exception:  # of a library that plots: the results are there all the same
        log.exception("the sweep cannot be drawn")
        return []
    if verdict:
        log.info(verdict)
    return files


def _message(jobs: list[JobRecord], failed: list[JobRecord]) -> str:
    lines = [f"{len(failed)} of {len(jobs)} jobs failed:"]
    varied = varied_overrides(jobs)
    for job in failed:
        overrides = " ".join(f"{key}={job.overrides.get(key)}" for key in varied)
        error = job.error or "its process was killed (maybe memory ran out)"
        lines.append(f"  job {job.number} ({overrides}): {error}")
    return "\n".join(lines)
