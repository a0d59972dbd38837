"""From a picture file to an enlarged one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from drnsr.errors import SignalError, UserError
from drnsr.images.file import SUFFIXES, Page, UpscaledPage
from drnsr.images.files import ImageError
from drnsr.images.reading import open_picture
from drnsr.images.writing import check_target, losses, write_picture
from drnsr.inference.holes import with_holes
from drnsr.inference.resample import resampled
from drnsr.inference.tiling import Advance
from drnsr.upscale.models import ModelAtScale, Models, OutputSize

Note = Callable[[str], None]
"""Told what was not taken as it is."""


@dataclass(frozen=True)
class UpscaleSpec:
    """How pictures are enlarged.

    Attributes:
        models: what there is to do it with.
        target: how large they become.
        value_range: what is black and white in pixels of a type that does not say it.
    """

    models: Models
    target: OutputSize
    value_range: tuple[float, float] | None = None

    def model(self, width: int, height: int) -> ModelAtScale:
        """Which model enlarges a picture of this size.

        Raises:
            TargetError, ScaleError: none can.
        """
        if self.target.scale is not None:
            return self.models.at(self.target.scale)
        wide, high = self.target.of(width, height)
        return self.models.covering(max(wide / width, high / height))


def enlarge_file(
    source: Path, target: Path, work: UpscaleSpec, advance: Advance, note: Note
) -> None:
    """Enlarge a file into another, whole or not at all; its suffix says in which format.

    Args:
        source: what to enlarge.
        target: what to write.
        work: how.
        advance: told how many pixels of the source were done since the last call.
        note: told what was not taken as it is.

    Raises:
        ImageError: the source cannot be read or not be enlarged as it was asked for, or the format
            cannot hold it; the message names the source.
        OSError: the target cannot be written.
    """
    with mentions(source), open_picture(source, work.value_range) as file:
        models = [work.model(page.picture.width, page.picture.height) for page in file.pages]
        pages = [
            _made(page, model, work, advance)
            for page, model in zip(file.pages, models, strict=True)
        ]
        file_format = SUFFIXES[target.suffix.lower()]
        check_target(file_format, pages)
        told = [text for page in file.pages for text in page.notes]
        made_by = models[0].provenance
        for text in dict.fromkeys([*told, *losses(file_format, pages, made_by)]):
            note(f"{source}: {text}")
        write_picture(target, file_format, pages, made_by)


@contextmanager
def mentions(source: Path) -> Iterator[None]:
    """Let every mistake that is told in this block name the file."""
    try:
        yield
    except (ImageError, SignalError):
        raise  # it does; or nothing is wrong with the file
    except UserError as error:
        raise ImageError(f"{source}: {error}") from error


def _made(page: Page, model: ModelAtScale, work: UpscaleSpec, advance: Advance) -> UpscaledPage:
    picture = page.picture
    width, height = work.target.of(picture.width, picture.height)
    whole = picture.height * model.scale, picture.width * model.scale
    if (height, width) == whole:
        rows = model.tiling.rows(picture, advance)
    else:
        rows = model.tiling.rows(replace(picture, keeps_holes=False), advance)
        rows = with_holes(resampled(rows, whole, (height, width)), picture, (height, width))
    return UpscaledPage(height=height, width=width, source=page, rows=rows)


def described(source: Path, work: UpscaleSpec) -> tuple[str, str, str]:
    """What would be done with a file: its size, the new one, and the name of the model.

    Raises:
        ImageError: see :func:`enlarge_file`.
    """
    with mentions(source), open_picture(source, measured=False) as file:
        picture = file.pages[0].picture
        model = work.model(picture.width, picture.height)
        width, height = work.target.of(picture.width, picture.height)
    pages = f" ({len(file.pages)} pages)" if len(file.pages) > 1 else ""
    return f"{picture.width} x {picture.height}{pages}", f"{width} x {height}", model.file.stem
