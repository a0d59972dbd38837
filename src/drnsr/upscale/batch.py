"""Many pictures one after another: what is there already is left, bad ones are told at the end."""

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
from drnsr.errors import SignalError, UserError
from drnsr.images.files import ImageError
from drnsr.images.reading import pixel_count
from drnsr.signals import signals_raise
from drnsr.upscale.files import Note, UpscaleSpec, enlarge_file
from drnsr.upscale.jobs import Job

log = logging.getLogger("drnsr")


class JobObserver(Protocol):
    """Is called while pictures are enlarged, to make more of each."""

    def after_job(self, job: Job, note: Note) -> None:
        """A picture was made, or was there already; an exception is told as this file's."""

    def after_all(self) -> None:
        """All jobs are done."""


def enlarge_all(
    jobs: Sequence[Job], work: UpscaleSpec, out: Path, observer: JobObserver | None = None
) -> None:
    """Enlarge all of them, and print what was made.

    Args:
        jobs: what :func:`drnsr.upscale.jobs.plan` said.
        work: how.
        out: the folder, to be named.
        observer: makes more of each picture.

    Raises:
        UserError: some could not be enlarged: which and why, when the others are done.
        SignalError: Ctrl-C or SIGTERM came; what was begun is not left behind.
    """
    console = Console(stderr=True)
    bad: list[str] = []
    made = pixels = 0
    start = time.perf_counter()
    sizes = [0 if job.is_done or job.problem else pixel_count(job.source) for job in jobs]

    def note(text: str) -> None:
        console.print(shown(text), markup=False, highlight=False, soft_wrap=True)

    resumable = signals_raise("ended early; the same command goes on with the rest")
    with resumable, _libraries_silent(), _bar(console) as bar:
        task = bar.add_task("enlarging", total=sum(sizes) / 1e6)
        for number, (job, size) in enumerate(zip(jobs, sizes, strict=True)):
            bar.update(task, description=f"{number + 1}/{len(jobs)} {shown(job.source.name)}")
            done = _Counter(bar, task)
            with _told_in(bad, job.source):
                if _enlarge(job, work, done, note):
                    made, pixels = made + 1, pixels + done.pixels
                if observer is not None:
                    observer.after_job(job, note)
            bar.update(task, advance=(size - done.pixels) / 1e6)
    seconds = time.perf_counter() - start
    _tell(out, made, sum(job.is_done for job in jobs), pixels / 1e6, seconds)
    if observer is not None:
        with _told_in(bad, out):
            observer.after_all()
    if bad:
        between = "\n  " if len(bad) > 1 else " "
        lines = between.join(["", *bad])
        raise UserError(f"{len(bad)} of {len(jobs)} could not be enlarged:{lines}")


def _enlarge(job: Job, work: UpscaleSpec, done: "_Counter", note: Note) -> bool:
    """Do it where it is still to be done, and say whether it was."""
    if job.problem:
        raise ImageError(f"{job.source}: {job.problem}")
    if job.is_done:
        return False
    remove_leftovers(job.target)
    enlarge_file(job.source, job.target, work, done, note)
    return True


@contextmanager
def _told_in(bad: list[str], source: Path) -> Iterator[None]:
    """Add whatever goes wrong with a file to what is told at the end, so that the others are done.

    No list of errors is enough: readers and writers of pictures raise of any type.
    """
    try:
        yield
    except SignalError:
        raise
    except Exception as error:
        log.debug("%s", shown(str(source)), exc_info=error)
        bad.append(shown(reason(error, source)))


def reason(error: Exception, source: Path) -> str:
    """What went wrong with a file, in one line that names it."""
    if isinstance(error, UserError):
        told = str(error)
    elif isinstance(error, OSError) and error.filename is not None:
        told = f"{os.fsdecode(error.filename)}: {error.strerror}"
    elif isinstance(error, MemoryError):
        told = f"{source}: not enough memory ({error})"
    else:
        told = f"{source}: {type(error).__name__}: {error} (-v shows where)"
    return " ".join(told.split())


def shown(text: str) -> str:
    """One line without what a terminal would take for a command, for a file may be called so."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class _Counter:
    """Counts the pixels of one picture, and shows them."""

    def __init__(self, bar: Progress, task: int) -> None:
        self._bar, self._task = bar, task
        self.pixels = 0

    def __call__(self, pixels: int) -> None:
        self.pixels += pixels
        self._bar.update(self._task, advance=pixels / 1e6)  # type: ignore[arg-type]


def _tell(out: Path, made: int, there: int, megapixels: float, seconds: float) -> None:
    told = f"{out}: {made} enlarged"
    if made:
        speed = megapixels / seconds
        told += f" ({megapixels:.2f} megapixels in {seconds:.1f} s, {speed:.2f} a second)"
    print(told + (f", {there} there already" if there else ""))


@contextmanager
def _libraries_silent() -> Iterator[None]:
    """What readers and numpy remark on odd files is for those who ask for it by ``-v``."""
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


class _Speed(ProgressColumn):
    """Megapixels per second."""

    def render(self, task: Task) -> Text:
        speed = task.speed
        return Text("" if speed is None else f"{speed:.2f} MP/s")


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:.1f}/{task.total:.1f} MP"),
        _Speed(),
        TimeRemainingColumn(),
        console=console,
    )
