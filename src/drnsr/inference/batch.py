"""Many pictures one after another: what is there already is left, bad ones are told at the end."""

import glob
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

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

from drnsr.atomic import write_text
from drnsr.errors import SignalError, UserError
from drnsr.formats.file import SUFFIXES, Format
from drnsr.formats.reading import format_of, pixel_count
from drnsr.imaging.files import ImageError
from drnsr.inference.comparison import compare, write_comparison
from drnsr.inference.contact_sheet import card, is_page, page
from drnsr.inference.files import Note, Work, enlarge_file
from drnsr.inference.provenance import read_provenance

_CANONICAL: dict[Format, str] = {
    "png": ".png",
    "jpeg": ".jpg",
    "webp": ".webp",
    "tiff": ".tif",
    "bmp": ".bmp",
    "ppm": ".ppm",
    "dicom": ".dcm",
}


@dataclass(frozen=True)
class Job:
    """One file to enlarge into another.

    Attributes:
        source: the picture.
        target: what is written.
        is_done: the target is there already, and is not to be made again.
    """

    source: Path
    target: Path
    is_done: bool


def plan(
    paths: Sequence[str], out: Path, suffix: str, file_format: Format | None, *, overwrite: bool
) -> list[Job]:
    """Find the pictures, and say what becomes of each.

    Args:
        paths: files, folders and patterns.
        out: folder of what is made; below it are the folders that were below those of ``paths``.
        suffix: of the new names, before the one of the format.
        file_format: of what is made; None for that of each picture's name.
        overwrite: make again what is there.

    Raises:
        UserError: there is no such file, folder or match, or two pictures would become one file.
    """
    jobs: dict[Path, Job] = {}
    for source, name in _pictures(paths, out):
        ending = name.suffix if name.suffix.lower() in SUFFIXES else None
        if file_format is not None and SUFFIXES.get(name.suffix.lower()) != file_format:
            ending = _CANONICAL[file_format]
        if ending is None:
            ending = _CANONICAL[_format_within(source)]
        target = out / name.with_name(f"{name.stem}{suffix}{ending}")
        other = jobs.get(target)
        if other is not None and other.source != source:
            raise UserError(f"{source} and {other.source} would both become {target}")
        if target.resolve() == source.resolve():
            raise UserError(f"{source}: would be written over itself: take another --out")
        jobs[target] = Job(source, target, is_done=target.exists() and not overwrite)
    return list(jobs.values())


def enlarge_all(
    jobs: Sequence[Job], work: Work, out: Path, comparisons: "Comparisons | None" = None
) -> None:
    """Enlarge all of them, and print what was made.

    Args:
        jobs: what :func:`plan` said.
        work: how.
        out: the folder, to be named.
        comparisons: of each picture, too.

    Raises:
        UserError: some could not be enlarged: which and why, when the others are done.
        SignalError: Ctrl-C or SIGTERM came; what was begun is not left behind.
        OSError: the disk is full.
    """
    console = Console(stderr=True)
    bad: list[str] = []
    made = pixels = 0
    start = time.perf_counter()
    sizes = [0 if job.is_done else pixel_count(job.source) for job in jobs]
    with _signals_told(), _bar(console) as bar:
        task = bar.add_task("enlarging", total=sum(sizes) / 1e6)
        for number, (job, size) in enumerate(zip(jobs, sizes, strict=True)):
            bar.update(task, description=f"{number + 1}/{len(jobs)} {job.source.name}")
            done = _Counter(bar, task)
            try:
                if not job.is_done:
                    _remove_leftovers(job.target)
                    enlarge_file(job.source, job.target, work, done, console.print)
                    made, pixels = made + 1, pixels + done.pixels
                if comparisons is not None:
                    comparisons.add(job, console.print)
            except ImageError as error:
                bad.append(str(error))
            bar.update(task, advance=(size - done.pixels) / 1e6)
    seconds = time.perf_counter() - start
    _tell(out, made, sum(job.is_done for job in jobs), pixels / 1e6, seconds)
    if comparisons is not None:
        comparisons.write_page()
    if bad:
        raise UserError(f"{len(bad)} of {len(jobs)} could not be enlarged: {'; '.join(bad)}")


class Comparisons:
    """A picture beside each that is made, and a page of all where there are several.

    Args:
        jobs: all that there will be.
        work: how they are enlarged.
        out: the folder for the page.

    Raises:
        UserError: there is a page that is not ours.
    """

    def __init__(self, jobs: Sequence[Job], work: Work, out: Path) -> None:
        self._work = work
        self._out = out
        self._page = out / "index.html" if len(jobs) > 1 else None
        self._cards: list[str] = []
        stems = Counter(job.target.with_suffix("") for job in jobs)
        self._paths: dict[Path, Path] = {}
        for job in jobs:
            alone = stems[job.target.with_suffix("")] == 1
            name = job.target.stem if alone else job.target.name
            self._paths[job.target] = job.target.with_name(f"{name}_compare.png")
        if self._page is not None and self._page.exists() and not is_page(self._page):
            raise UserError(f"{self._page}: drnsr did not make it: take another --out")

    def add(self, job: Job, note: Note) -> None:
        """Compare a picture that was made, or was there; what another model made is told and left.

        Raises:
            ImageError: see :func:`drnsr.inference.files.enlarge_file`.
            OSError: the disk is full.
        """
        comparison = compare(job.source, self._work)
        drawn = self._paths[job.target]
        if job.is_done:
            made_by = read_provenance(job.target)
            if made_by is None or made_by.as_text() != comparison.provenance:
                note(f"{job.target}: was there, and does not say that this model made it")
                return
        if not (job.is_done and drawn.exists()):
            _remove_leftovers(drawn)
            write_comparison(drawn, comparison)
        target, drawn = (path.relative_to(self._out) for path in (job.target, drawn))
        self._cards.append(card(comparison, target, drawn))

    def write_page(self) -> None:
        """Write the page, if there is to be one."""
        if self._page is not None and self._cards:
            write_text(self._page, page(self._cards))
            print(f"{self._page}: {len(self._cards)} compared")


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


def _pictures(paths: Sequence[str], out: Path) -> Iterator[tuple[Path, Path]]:
    """Each picture, and its name below the output folder, whose own pictures are left out."""
    for text in paths:
        path = Path(text)
        if path.is_dir():
            below = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
            found = sorted(file for file in below if out.resolve() not in file.resolve().parents)
            if not found:
                raise UserError(f"{path}: no pictures in this folder")
            yield from ((file, file.relative_to(path)) for file in found)
        elif path.exists():
            yield path, Path(path.name)
        else:
            pattern = path.relative_to(path.anchor).as_posix()
            matches = sorted(Path(path.anchor or ".").glob(pattern))
            files = [match for match in matches if match.suffix.lower() in SUFFIXES]
            if not files:
                raise UserError(f"{text}: there is no such picture or folder")
            yield from ((file, Path(file.name)) for file in files)


def _format_within(source: Path) -> Format:
    try:
        return format_of(source)
    except ImageError:
        return "png"  # opening it will say what is wrong


def _remove_leftovers(target: Path) -> None:
    """What an earlier process that was killed has left beside this very target."""
    for partial in target.parent.glob(f".*.partial.{glob.escape(target.name)}"):
        if not _is_alive(partial.name.split(".")[1]):
            partial.unlink(missing_ok=True)


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        pass  # another's, or no process at all
    return True


@contextmanager
def _signals_told() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the work by an exception, which removes what was half written."""

    def end(number: int, _: FrameType | None) -> None:
        raise SignalError("ended early; the same command goes on with the rest", number)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Speed(ProgressColumn):
    """Megapixels per second."""

    def render(self, task: Task) -> Text:
        speed = task.speed
        return Text("" if speed is None else f"{speed:.2f} MP/s")


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:.1f}/{task.total:.1f} MP"),
        _Speed(),
        TimeRemainingColumn(),
        console=console,
    )
