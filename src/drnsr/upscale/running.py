"""Upscaling of one file of many: its errors become the outcome of this file alone."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from drnsr.atomic import remove_leftovers
from drnsr.errors import SignalError, UserError, printable
from drnsr.images.errors import ImageError
from drnsr.upscale.files import Note, UpscaleSpec, naming_file, upscale_file
from drnsr.upscale.jobs import Job
from drnsr.upscale.progress import JobReport
from drnsr.upscale.quiet import quiet_libraries
from drnsr.video.files import check_installed

log = logging.getLogger("drnsr")


class JobObserver(Protocol):
    """Is called during an upscaling, for example to draw comparisons; it can be pickled."""

    def after_job(self, job: Job, spec: UpscaleSpec, note: Note) -> str | None:
        """A result was written or existed before; an exception is reported as this file's.

        It is called in the process that upscaled the file.
        """

    def after_all(self, results: list[str]) -> None:
        """All jobs are done; the results of :meth:`after_job` are in the order of the jobs."""


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        is_upscaled: whether its result was written now.
        error: why it failed, in one line; empty if it did not.
        observed: the result of the observer.
    """

    is_upscaled: bool = False
    error: str = ""
    observed: str | None = None


def run_job(
    job: Job, spec: UpscaleSpec, observer: JobObserver | None, report: JobReport
) -> Outcome:
    """Upscale a file unless its result exists, and call the observer.

    Raises:
        SignalError: Ctrl-C or SIGTERM arrived; no incomplete file is left.
    """
    errors: list[str] = []
    is_upscaled, observed = False, None
    with quiet_libraries(), collect_errors(errors, job.source):
        if job.problem:
            raise ImageError(f"{job.source}: {job.problem}")
        if not job.is_done:
            remove_leftovers(job.target)
            _upscale(job, spec, report)
            is_upscaled = True
        if observer is not None:
            observed = observer.after_job(job, spec, report)
    return Outcome(is_upscaled, "".join(errors), observed)


def _upscale(job: Job, spec: UpscaleSpec, report: JobReport) -> None:
    if job.is_video:
        with naming_file(job.source):
            check_installed()
        from drnsr.upscale.clips import upscale_clip  # it needs PyAV

        upscale_clip(job.source, job.target, spec, report)
    else:
        upscale_file(job.source, job.target, spec, report, report, job.bands)


@contextmanager
def collect_errors(errors: list[str], source: Path) -> Iterator[None]:
    """Append the exception of a file to the errors and go on with the next file.

    It catches every type, because readers and writers of pictures raise many.
    """
    try:
        yield
    except SignalError:
        raise
    except Exception as error:
        log.debug("%s", printable(str(source)), exc_info=error)
        errors.append(printable(error_line(error, source)))


def error_line(error: Exception, source: Path) -> str:
    """Describe the exception of a file in one line that names the file."""
    if isinstance(error, UserError):
        text = str(error)
    elif isinstance(error, OSError) and error.filename is not None:
        text = f"{os.fsdecode(error.filename)}: {error.strerror}"
    elif isinstance(error, MemoryError):
        text = f"{source}: not enough memory ({error})"
    else:
        text = f"{source}: {type(error).__name__}: {error} (-v shows where)"
    return " ".join(text.split())
