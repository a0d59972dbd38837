"""Upscaling of many files: existing results are skipped, errors are reported at the end."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from rich.progress import Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from drnsr.atomic import remove_leftovers
from drnsr.device import thread_shares
from drnsr.errors import UserError, printable
from drnsr.images.reading import pixel_count
from drnsr.inference.allocator import keep_freed_memory
from drnsr.signals import signals_raise
from drnsr.terminal import Bars
from drnsr.upscale.files import UpscaleSpec
from drnsr.upscale.jobs import Job
from drnsr.upscale.progress import FrameCount, JobReport
from drnsr.upscale.provenance import read_provenance
from drnsr.upscale.running import JobObserver, Outcome, collect_errors, run_job
from drnsr.workers import Finished, Lost, Reported, share_out


def upscale_all(
    jobs: Sequence[Job],
    spec: UpscaleSpec,
    out: Path,
    observer: JobObserver | None = None,
    *,
    devices: Sequence[str] = (),
) -> None:
    """Upscale all files, show a progress bar, and print a summary.

    Args:
        jobs: the jobs of :func:`drnsr.upscale.jobs.plan`.
        spec: how to upscale them.
        out: the output folder, for the summary.
        observer: called after each job and at the end.
        devices: torch's names of devices, one for each process that shares the work; with fewer
            than two, this process does it all on the device of ``spec``.

    Raises:
        UserError: some files failed; the message lists them. The others are done.
        SignalError: Ctrl-C or SIGTERM arrived; no incomplete file is left.
    """
    start = time.perf_counter()
    resumable = signals_raise("ended early; the same command goes on with the rest")
    with resumable, _progress_bar() as bar:
        if bar.is_shown:
            _print_plan(bar, jobs, spec, out, devices)
        batch = _Batch(jobs, bar)
        if len(devices) < 2:
            for number in range(len(jobs)):
                batch.run_here(number, spec, observer)
        else:
            _run_in_processes(batch, spec, observer, devices)
    seconds = time.perf_counter() - start
    megapixels = sum(batch.pixels[number] for number in batch.upscaled) / 1e6
    text = f"{out}: {len(batch.upscaled)} upscaled"
    if batch.upscaled:
        speed = f"{_rounded(megapixels / seconds)} a second"
        text += f" ({_rounded(megapixels)} megapixels in {seconds:.1f} s, {speed})"
    print(printable(text + _describe_existing(jobs, spec)))
    errors = [outcome.error for _, outcome in sorted(batch.outcomes.items()) if outcome.error]
    if observer is not None:
        observed = [outcome.observed for _, outcome in sorted(batch.outcomes.items())]
        with collect_errors(errors, out):
            observer.after_all([each for each in observed if each is not None])
    if errors:
        separator = "\n  " if len(errors) > 1 else " "
        lines = separator.join(["", *errors])
        raise UserError(f"{len(errors)} of {len(jobs)} could not be upscaled:{lines}")


def _print_plan(
    bar: Bars, jobs: Sequence[Job], spec: UpscaleSpec, out: Path, devices: Sequence[str]
) -> None:
    """Say how many files are upscaled, where to, and by which model if all have the same."""
    text = f"{len(jobs)} into {out}"
    if devices:
        text += f" on {', '.join(devices)}"
    if spec.output_size.scale is not None and len(devices) < 2:  # else each process loads it
        text += f", by {spec.models.at(spec.output_size.scale).describe()}"
    bar.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


class _Batch:
    """The jobs of a call, what became of each so far, and the progress bar of all.

    Args:
        jobs: all jobs.
        bar: shows the progress.

    Attributes:
        sizes: the number of pixels to upscale in each job.
        pixels: the number of pixels that were upscaled in each job.
        outcomes: by the number of the job.
    """

    def __init__(self, jobs: Sequence[Job], bar: Progress) -> None:
        self.jobs = jobs
        self.sizes = [_size(job) for job in jobs]
        self.pixels = [0] * len(jobs)
        self.outcomes: dict[int, Outcome] = {}
        self._bar = bar
        self._task = bar.add_task("upscaling", total=sum(self.sizes) / 1e6)

    @property
    def upscaled(self) -> list[int]:
        """The numbers of the jobs whose results were written."""
        return [number for number, outcome in self.outcomes.items() if outcome.is_upscaled]

    def run_here(self, number: int, spec: UpscaleSpec, observer: JobObserver | None) -> None:
        """Do a job in this process."""
        self._show(number)
        report = partial(self.report, number)
        self.finish(number, run_job(self.jobs[number], spec, observer, report))

    def report(self, number: int, message: int | str | FrameCount) -> None:
        """Add pixels to a job, print a note, or show the progress of a video."""
        if isinstance(message, FrameCount):
            self._show(number, f": {message}")
        elif isinstance(message, str):
            text = printable(message)
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            self.pixels[number] += message
            self._bar.update(self._task, advance=message / 1e6)

    def finish(self, number: int, outcome: Outcome) -> None:
        """Record what became of a job."""
        self.outcomes[number] = outcome
        self._bar.update(self._task, advance=(self.sizes[number] - self.pixels[number]) / 1e6)
        self._show(number)

    def lose(self, number: int, lost: Lost) -> None:
        """Forget what a worker did of a job, or record that no other one tries it."""
        job = self.jobs[number]
        remove_leftovers(job.target)
        self._bar.update(self._task, advance=-self.pixels[number] / 1e6)
        self.pixels[number] = 0
        text = f"{job.source}: {lost.reason}"
        if lost.is_final:
            self.finish(number, Outcome(error=printable(text)))
        else:
            self.report(number, f"{text}; another one begins it again")

    def _show(self, number: int, progress: str = "") -> None:
        count = min(len(self.outcomes) + 1, len(self.jobs))
        name = printable(self.jobs[number].source.name)
        self._bar.update(self._task, description=f"{count}/{len(self.jobs)} {name}{progress}")


def _size(job: Job) -> int:
    """Return the number of pixels that are to be upscaled, of all pages or frames; 0 if unknown."""
    if job.is_done or job.problem:
        return 0
    if not job.is_video:
        return pixel_count(job.first_file)
    try:
        from drnsr.video.clip import open_clip  # it needs PyAV

        with open_clip(job.source) as clip:
            return clip.info.num_frames * clip.info.width * clip.info.height
    except (UserError, ImportError):  # it is reported when the video is upscaled
        return 0


@dataclass(frozen=True)
class _Start:
    """Lets a worker upscale on a device of its own; it is called in the worker's process."""

    spec: UpscaleSpec
    observer: JobObserver | None
    threads: int

    def __call__(self) -> Callable[[Job, JobReport], Outcome]:
        keep_freed_memory()
        torch.set_num_threads(self.threads)
        self.spec.load()
        return self._run

    def _run(self, job: Job, report: JobReport) -> Outcome:
        return run_job(job, self.spec, self.observer, report)


def _run_in_processes(
    batch: _Batch, spec: UpscaleSpec, observer: JobObserver | None, devices: Sequence[str]
) -> None:
    """Share the jobs out, large ones first, so that none is left to a single process at the end."""
    numbers = []
    for number, job in enumerate(batch.jobs):
        if job.problem or (job.is_done and observer is None):
            batch.run_here(number, spec, observer)
        else:
            numbers.append(number)
    numbers.sort(key=lambda number: -batch.sizes[number])
    starts = [
        _Start(spec.on(device), observer, threads)
        for device, threads in zip(devices, thread_shares(len(devices)), strict=True)
    ]
    with closing(share_out([batch.jobs[number] for number in numbers], starts)) as events:
        for event in events:
            number = numbers[event.task]
            if isinstance(event, Reported):
                batch.report(number, event.message)
            elif isinstance(event, Finished):
                batch.finish(number, event.result)
            else:
                batch.lose(number, event)


def _rounded(number: float) -> str:
    """Return a number with two decimals, or its first digit if that comes later."""
    return f"{number:.2f}" if number >= 0.1 else f"{number:.1g}"


def _describe_existing(jobs: Sequence[Job], spec: UpscaleSpec) -> str:
    """Count the results that existed, and those of another model than the one that is asked for."""
    existing = [job.target for job in jobs if job.is_done]
    if not existing:
        return ""
    made = [provenance for path in existing if (provenance := read_provenance(path))]
    hashes = spec.models.hashes()
    others = sum(each.model_sha256 not in hashes for each in made)
    of_others = f", {others} of them made by another model" if others else ""
    return f", {len(existing)} already there{of_others} (--overwrite replaces them)"


class _SpeedColumn(ProgressColumn):
    """Megapixels per second."""

    def render(self, task: Task) -> Text:
        speed = task.speed
        return Text("" if speed is None else f"{speed:.2f} MP/s")


def _progress_bar() -> Bars:
    amount = TextColumn("{task.completed:.1f}/{task.total:.1f} MP")
    return Bars(amount, _SpeedColumn(), has_last_line=False)
