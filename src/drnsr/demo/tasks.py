"""The tasks of the demo: inspect an upload, and upscale it as `drnsr upscale` does."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from drnsr.demo.views import CROP_HEIGHT, CROP_WIDTH, Advance, View, write_preview
from drnsr.errors import UserError
from drnsr.images.errors import ImageError
from drnsr.images.page import Page
from drnsr.images.reading import codec_of, open_picture, pixel_count
from drnsr.reporting.display import DisplayRange
from drnsr.reporting.overview import overview
from drnsr.upscale.files import UpscaleSpec, upscale_file
from drnsr.upscale.jobs import plan
from drnsr.upscale.models import Models, OutputSize, RuntimeOptions
from drnsr.video.files import is_video

MAX_BYTES = 100_000_000
"""The largest upload."""

MAX_PIXELS = 100_000_000
"""The largest result, all pages together; the demo keeps two pictures of this size on the disk."""

RUNTIME_OPTIONS = RuntimeOptions(tile=256)
"""Small tiles, for frequent updates of the progress bar and a fast stop."""

_THUMBNAIL = 800  # the least longer side of the preview of an upload in pixels


class Progress:
    """The progress of a task.

    Args:
        report: is called with the fraction of the pixels that are done, 0..1.
    """

    def __init__(self, report: Callable[[float], None]) -> None:
        self._report = report
        self._pixels = self._done = 0

    def start(self, pixels: int) -> None:
        """Begin a task of so many pixels."""
        self._pixels = pixels
        self.advance(0)

    def advance(self, pixels: int) -> None:
        """Add pixels that are done."""
        self._done += pixels
        self._report(self._done / self._pixels if self._pixels else 0.0)


@dataclass(frozen=True)
class Upload:
    """An uploaded picture.

    Attributes:
        path: the file, with the name that it was uploaded with.
        size: (width, height) of the first page in pixels.
        bits: the bit depth of a channel.
        num_pages: the number of pages.
        num_pixels: the number of pixels of all pages.
        preview: a file with the first page for display.
    """

    path: Path
    size: tuple[int, int]
    bits: int
    num_pages: int
    num_pixels: int
    preview: Path


@dataclass(frozen=True)
class UpscaledUpload:
    """The result for an upload.

    Attributes:
        path: the file, with the name that `drnsr upscale` gives it.
        seconds: the time for reading, upscaling and writing.
        notes: sentences about what the result does not keep.
        before: the first page, upscaled by bicubic interpolation.
        after: the first page of the result.
        before_preview: a file with ``before`` for display.
        after_preview: a file with ``after`` for display.
        detail: (left, top) of the most detailed crop.
    """

    path: Path
    seconds: float
    notes: tuple[str, ...]
    before: View
    after: View
    before_preview: Path
    after_preview: Path
    detail: tuple[int, int]


def safe_file_name(uploaded: str) -> str:
    """Return the last part of a file name; a browser may send any text."""
    name = PurePath(uploaded.replace("\0", "")).name
    return name if name.strip(".") else "picture"


def inspect_upload(path: Path, folder: Path, progress: Progress) -> Upload:
    """Read an uploaded picture and write a preview into a folder.

    Raises:
        UserError: the file is not a picture, is damaged or too large; the message begins with the
            name of the file.
        OSError: the preview cannot be written.
    """
    progress.start(0)
    with _without_folder(path):
        _refuse_video(path)
        _check_size(path, pixel_count(path))  # from the header, before the picture is decoded
        with open_picture(path) as file:
            page = file.pages[0]
            thumbnail, _ = overview(page.picture, _THUMBNAIL, (CROP_HEIGHT, CROP_WIDTH))
            image = DisplayRange.for_page(page, thumbnail).to_image(thumbnail)
            icc = _colour_profile(page)
            upload = Upload(
                path=path,
                size=(page.picture.width, page.picture.height),
                bits=page.picture.dtype.itemsize * 8,
                num_pages=len(file.pages),
                num_pixels=sum(each.picture.height * each.picture.width for each in file.pages),
                preview=folder / "picture.png",
            )
    write_preview(upload.preview, image, icc)
    return upload


def upscale_upload(
    upload: Upload,
    models: Models,
    scale: int,
    folder: Path,
    view_folder: Path,
    progress: Progress,
) -> UpscaledUpload:
    """Upscale a picture into a file in a folder and write previews beside it.

    Args:
        upload: the picture.
        models: the models, by scale.
        scale: the scale.
        folder: an empty folder that the browser can load from.
        view_folder: an empty folder for the views, which it does not load.
        progress: of the task.

    Raises:
        UserError: it cannot be upscaled; the message begins with the name of the file.
        OSError: a file cannot be written.
    """
    progress.start(upload.num_pixels)
    output_size = OutputSize(scale=scale)
    notes: list[str] = []
    with _without_folder(upload.path):
        _check_size(upload.path, upload.num_pixels * scale**2)
        [job] = plan([str(upload.path)], folder, output_size.suffix, None, overwrite=True).jobs
        if job.problem:
            raise UserError(f"{upload.path}: {job.problem}")
        start = time.perf_counter()
        spec = UpscaleSpec(models, output_size)
        upscale_file(upload.path, job.target, spec, progress.advance, notes.append)
        seconds = time.perf_counter() - start
        before, after, detail = _view_both(
            upload.path, job.target, scale, view_folder, progress.advance
        )
    result = UpscaledUpload(
        path=job.target,
        seconds=seconds,
        notes=tuple(_remove_folder(note, upload.path) for note in notes),
        before=before,
        after=after,
        before_preview=folder / "before.png",
        after_preview=folder / "after.png",
        detail=detail,
    )
    before.write_preview(result.before_preview)
    after.write_preview(result.after_preview)
    return result


def _view_both(
    source: Path, target: Path, scale: int, folder: Path, advance: Advance
) -> tuple[View, View, tuple[int, int]]:
    """Return the first page by bicubic interpolation and by the model, and its detailed crop."""
    with open_picture(source) as file:
        page = file.pages[0]
        thumbnail, (row, column) = overview(
            page.picture, _THUMBNAIL, (CROP_HEIGHT // scale, CROP_WIDTH // scale)
        )
        display, icc = DisplayRange.for_page(page, thumbnail), _colour_profile(page)
        new_size = page.picture.width * scale, page.picture.height * scale
        path = folder / "before.rgb"
        before = View.bicubic(path, page.picture, new_size, display, icc, advance)
    with open_picture(target, measured=False) as file:
        # The least and largest value of the result may differ; both views use the source's.
        picture = replace(file.pages[0].picture, value_range=page.picture.value_range)
        after = View.of_picture(folder / "after.rgb", picture, display, icc, advance)
    return before, after, (column * scale, row * scale)


def _colour_profile(page: Page) -> bytes | None:
    """Return the colour profile of an RGB picture; others do not fit the RGB of a view."""
    return page.metadata.icc if len(page.picture.channels.groups[0]) == 3 else None


def _refuse_video(path: Path) -> None:
    try:
        codec_of(path)  # some pictures have the signature of a video
    except ImageError:
        if is_video(path):
            raise UserError(
                f"{path}: a video, which this page does not take; `drnsr upscale` does"
            ) from None


def _check_size(path: Path, pixels: int) -> None:
    if pixels > MAX_PIXELS:
        raise UserError(
            f"{path}: {pixels / 1e6:.1f} megapixels are more than the {MAX_PIXELS / 1e6:.0f} that"
            " this page can show; `drnsr upscale` has no such limit"
        )


@contextmanager
def _without_folder(path: Path) -> Iterator[None]:
    """Remove the server's folder from error messages: the user knows only the file's name."""
    try:
        yield
    except UserError as error:
        raise UserError(_remove_folder(str(error), path)) from error


def _remove_folder(text: str, path: Path) -> str:
    return text.replace(f"{path.parent}{os.sep}", "")
