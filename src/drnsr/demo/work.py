"""What is done for the page: a picture is looked at, and enlarged as `drnsr upscale` does it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from drnsr.demo.views import CROP_HEIGHT, CROP_WIDTH, View, write_preview
from drnsr.errors import UserError
from drnsr.images.file import Page
from drnsr.images.reading import open_picture, pixel_count
from drnsr.reporting.display import Shades
from drnsr.reporting.overview import survey
from drnsr.upscale.files import UpscaleSpec, enlarge_file
from drnsr.upscale.jobs import plan
from drnsr.upscale.models import Models, OutputSize, RuntimeOptions

MAX_BYTES = 100_000_000
"""Of an upload."""

MAX_PIXELS = 100_000_000
"""Of what is made, all its pages together; the page holds two pictures of that size in memory."""

RUNNING = RuntimeOptions(tile=256)
"""Small tiles, so that the page can show how far it is, and can stop."""

_PREVIEW = 800  # pixels that the longer side of an upload has at least when it is shown


class StoppedError(Exception):
    """The person at the page wants no more of it."""


class Progress:
    """How far one piece of work is: told by the worker, shown and stopped by the page."""

    def __init__(self) -> None:
        self.started: float | None = None
        self._pixels = self._done = 0
        self._stopped = False

    def start(self, pixels: int) -> None:
        """The worker begins with so many pixels.

        Raises:
            StoppedError: it need not.
        """
        self.started = time.monotonic()
        self._pixels = pixels
        self.advance(0)

    def advance(self, pixels: int) -> None:
        """So many more are done.

        Raises:
            StoppedError: the rest is not wanted.
        """
        self._done += pixels
        if self._stopped:
            raise StoppedError

    def stop(self) -> None:
        """Let the worker end at the next tile."""
        self._stopped = True

    @property
    def fraction(self) -> float:
        """Of the pixels, 0..1."""
        return self._done / self._pixels if self._pixels else 0.0


@dataclass(frozen=True)
class Source:
    """An upload that is a picture.

    Attributes:
        path: of the file, under the name that it was uploaded by.
        size: (width, height) of the first of its pages in pixels.
        bits: of a value of a pixel.
        pages: how many there are.
        pixels: of all pages.
        preview: a file with the first of them for the page.
    """

    path: Path
    size: tuple[int, int]
    bits: int
    pages: int
    pixels: int
    preview: Path


@dataclass(frozen=True)
class Result:
    """An enlarged picture.

    Attributes:
        path: of the file, called as `drnsr upscale` calls it.
        seconds: that it took, with reading and writing.
        notes: what was not taken as it is.
        before: the first page, enlarged by bicubic interpolation.
        after: the same, of the file.
        before_preview: a file with the first for the page.
        after_preview: likewise.
        place: (left, top) of the part that has most detail.
    """

    path: Path
    seconds: float
    notes: tuple[str, ...]
    before: View
    after: View
    before_preview: Path
    after_preview: Path
    place: tuple[int, int]


def file_name(uploaded: str) -> str:
    """The name for an uploaded file: its last part, for a browser may send anything."""
    name = PurePath(uploaded.replace("\0", "")).name
    return name if name.strip(".") else "picture"


def look(path: Path, folder: Path, progress: Progress) -> Source:
    """Read an uploaded picture, and put a preview into a folder.

    Raises:
        UserError: it is none, is damaged or too large; the message begins with the file's name.
        StoppedError: the page wants it no more.
        OSError: the disk is full.
    """
    progress.start(0)
    with _told_by_name(path):
        _check_size(path, pixel_count(path))  # by its header, before anything is decoded
        with open_picture(path) as file:
            page = file.pages[0]
            small, _ = survey(page.picture, _PREVIEW, (CROP_HEIGHT, CROP_WIDTH))
            image, icc = Shades.of(page, small).paint(small), _colour_profile(page)
            source = Source(
                path=path,
                size=(page.picture.width, page.picture.height),
                bits=page.picture.dtype.itemsize * 8,
                pages=len(file.pages),
                pixels=sum(each.picture.height * each.picture.width for each in file.pages),
                preview=folder / "picture.png",
            )
    write_preview(source.preview, image, icc)
    return source


def enlarge(source: Source, models: Models, scale: int, folder: Path, progress: Progress) -> Result:
    """Enlarge a picture into a file of a folder, and put previews beside it.

    Raises:
        UserError: it cannot be; the message begins with the file's name.
        StoppedError: the page wants it no more; no file is there.
        OSError: the disk is full.
    """
    progress.start(source.pixels)
    target = OutputSize(scale=scale)
    notes: list[str] = []
    with _told_by_name(source.path):
        _check_size(source.path, source.pixels * scale**2)
        [job] = plan([str(source.path)], folder, target.suffix, None, overwrite=True).jobs
        if job.problem:
            raise UserError(f"{source.path}: {job.problem}")
        start = time.perf_counter()
        work = UpscaleSpec(models, target)
        enlarge_file(source.path, job.target, work, progress.advance, notes.append)
        seconds = time.perf_counter() - start
        before, after, place = _compared(source.path, job.target, scale)
    result = Result(
        path=job.target,
        seconds=seconds,
        notes=tuple(_by_name(note, source.path) for note in notes),
        before=before,
        after=after,
        before_preview=folder / "before.png",
        after_preview=folder / "after.png",
        place=place,
    )
    before.preview(result.before_preview)
    after.preview(result.after_preview)
    return result


def _compared(path: Path, made: Path, scale: int) -> tuple[View, View, tuple[int, int]]:
    """The first page by bicubic interpolation, as it was made, and where it has most detail."""
    with open_picture(path) as file:
        page = file.pages[0]
        small, (row, column) = survey(
            page.picture, _PREVIEW, (CROP_HEIGHT // scale, CROP_WIDTH // scale)
        )
        shades, icc = Shades.of(page, small), _colour_profile(page)
        size = page.picture.width * scale, page.picture.height * scale
        before = View.bicubic(page.picture, size, shades, icc)
    with open_picture(made, measured=False) as file:
        # The file's own least and largest values are others.
        picture = replace(file.pages[0].picture, value_range=page.picture.value_range)
        after = View.of(picture, shades, icc)
    return before, after, (column * scale, row * scale)


def _colour_profile(page: Page) -> bytes | None:
    """One that fits the RGB in which all is shown."""
    return page.metadata.icc if len(page.picture.channels.groups[0]) == 3 else None


def _check_size(path: Path, pixels: int) -> None:
    if pixels > MAX_PIXELS:
        raise UserError(
            f"{path}: {pixels / 1e6:.1f} megapixels are more than the {MAX_PIXELS / 1e6:.0f} that"
            " this page can show; `drnsr upscale` has no such limit"
        )


@contextmanager
def _told_by_name(path: Path) -> Iterator[None]:
    """Let mistakes name the file without our folder, which says nothing to who uploaded it."""
    try:
        yield
    except UserError as error:
        raise UserError(_by_name(str(error), path)) from error


def _by_name(text: str, path: Path) -> str:
    return text.replace(f"{path.parent}{os.sep}", "")
