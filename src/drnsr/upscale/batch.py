"""Upscaling of many files: existing results are skipped, errors are reported at the end."""

import logging
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from drnsr.atomic import remove_leftovers
from drnsr.errors import SignalError, UserError, printable
from drnsr.images.errors import ImageError
from drnsr.images.reading import pixel_count
from drnsr.signals import signals_raise
from drnsr.upscale.files import Note, UpscaleSpec, upscale_file
from drnsr.upscale.jobs import Job

log = logging.getLogger("drnsr")


class JobObserver(Protocol):
    """Is called during :func:`upscale_all`, for example to draw comparisons."""

    def after_job(self, job: Job, note: Note) -> None:
        """A result was written or existed before; an exception is reported as this file's."""

    def after_all(self) -> None:
        """All jobs are done."""


def upscale_all(
    jobs: Sequence[Job], spec: UpscaleSpec, out: Path, observer: JobObserver | None = None
) -> None:
    """Upscale all files, show a progress bar, and print a summary.

    Args:
        jobs: the jobs of :func:`drnsr.upscale.jobs.plan`.
        spec: how to upscale them.
        out: the output folder, for the summary.
        observer: called after each job and at the end.

    Raises:
        UserError: some files failed; the message lists them. The others are done.
        SignalError: Ctrl-C or SIGTERM arrived; no incomplete file is left.
    """
    console = Console(stderr=True)
    errors: list[str] = []
    num_upscaled = pixels = 0
    start = time.perf_counter()
    sizes = [0 if job.is_done or job.problem else pixel_count(job.source) for job in jobs]

    def note(text: str) -> None:
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    resumable = signals_raise("ended early; the same command goes on with the rest")
    with resumable, _quiet_libraries(), _progress_bar(console) as bar:
        task = bar.add_task("upscaling", total=sum(sizes) / 1e6)
        for number, (job, size) in enumerate(zip(jobs, sizes, strict=True)):
            bar.update(task, description=f"{number + 1}/{len(jobs)} {printable(job.source.name)}")
            progress = _JobProgress(bar, task)
            with _collect_errors(errors, job.source):
                if _run_job(job, spec, progress, note):
                    num_upscaled, pixels = num_upscaled + 1, pixels + progress.pixels
                if observer is not None:
                    observer.after_job(job, note)
            bar.update(task, advance=(size - progress.pixels) / 1e6)
    seconds = time.perf_counter() - start
    _print_summary(out, num_upscaled, sum(job.is_done for job in jobs), pixels / 1e6, seconds)
    if observer is not None:
        with _collect_errors(errors, out):
            observer.after_all()
    if errors:
        separator = "\n  " if len(errors) > 1 else " "
        lines = separator.join(["", *errors])
        raise UserError(f"{len(errors)} of {len(jobs)} could not be upscaled:{lines}")


def _run_job(job: Job, spec: UpscaleSpec, progress: "_JobProgress", note: Note) -> bool:
    """Upscale a file unless its result exists; return whether it was upscaled."""
    if job.problem:
        raise ImageError(f"{job.source}: {job.problem}")
    if job.is_done:
        return False
    remove_leftovers(job.target)
    upscale_file(job.source, job.target, spec, progress, note)
    return True


@contextmanager
def _collect_errors(errors: list[str], source: Path) -> Iterator[None]:
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


class _JobProgress:
    """Counts the upscaled pixels of one file and advances the progress bar."""

    def __init__(self, bar: Progress, task: int) -> None:
        self._bar, self._task = bar, task
        self.pixels = 0

    def __call__(self, pixels: int) -> None:
        self.pixels += pixels
        self._bar.update(self._task, advance=pixels / 1e6)  # type: ignore[arg-type]


def _print_summary(
    out: Path, num_upscaled: int, num_existing: int, megapixels: float, seconds: float
) -> None:
    text = f"{out}: {num_upscaled} upscaled"
    if num_upscaled:
        speed = megapixels / seconds
        text += f" ({megapixels:.2f} megapixels in {seconds:.1f} s, {speed:.2f} a second)"
    print(text + (f", {num_existing} there already" if num_existing else ""))


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Hide the warnings of image libraries and numpy about unusual files; ``-v`` shows them."""
    if log.isEnabledFor(logging.DEBUG):
        yield
        return
    loggers = [logging.getLogger(name) for name in ("tifffile", "imagecodecs", "PIL", "pydicom")]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


class _SpeedColumn(ProgressColumn):
    """Megapixels per second."""

    def render(self, task: Task) -> Text:
        speed = task.speed
        return Text("" if speed is None else f"{speed:.2f} MP/s")


def _progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:.1f}/{task.total:.1f} MP"),
        _SpeedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
