"""Upscaling of one picture file into another."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from drnsr.errors import SignalError, UserError
from drnsr.images.codecs import codec_of_suffix, split_name
from drnsr.images.errors import ImageError
from drnsr.images.joined import open_joined
from drnsr.images.page import Page, UpscaledPage
from drnsr.images.picture import Picture, Pixels, iter_rows
from drnsr.images.pixel_file import PixelFile
from drnsr.images.pixel_format import RGB8
from drnsr.images.reading import PictureFile, open_picture
from drnsr.images.resample import resize_rows
from drnsr.images.writing import write_picture
from drnsr.inference.channels import as_trained, check_bands
from drnsr.inference.consistency import Projection
from drnsr.inference.holes import restore_holes_by_rows
from drnsr.inference.tiling import Advance
from drnsr.upscale.models import ModelAtScale, Models, OutputSize
from drnsr.upscale.through import Axes, upscale_through
from drnsr.video.options import ClipOptions

Note = Callable[[str], None]
"""Called with a sentence about something in a file that the result does not keep."""


@dataclass(frozen=True)
class UpscaleSpec:
    """How pictures and videos are upscaled.

    Attributes:
        models: the models to choose from.
        output_size: the size of the results.
        value_range: black and white of pixels whose data type does not define them; None for those
            that the model was trained with, or else for the values that are found in the picture.
        axes: the axes along which volumes are upscaled; others than those of a slice need a scale
            as output size.
        clips: how videos are read and written.
        consistent: whether the results give their sources back when they are shrunk, which needs a
            scale as output size: see :class:`drnsr.inference.consistency.Projection`.
        overviews: whether to add overviews to the results, which must be TIFF of one page.
    """

    models: Models
    output_size: OutputSize
    value_range: tuple[float, float] | None = None
    axes: Axes = "in-plane"
    clips: ClipOptions = field(default_factory=ClipOptions)
    consistent: bool = False
    overviews: bool = False

    def on(self, device: str) -> "UpscaleSpec":
        """Return the same for another device, with nothing loaded, so that it can be pickled."""
        return replace(self, models=self.models.on(device))

    def load(self) -> None:
        """Load the model before any image is opened, if the size of the image does not choose it.

        Raises:
            UserError: it cannot be loaded, or run as requested.
        """
        if self.output_size.scale is not None:
            self.models.at(self.output_size.scale).tiling  # noqa: B018

    def model_for(self, width: int, height: int) -> ModelAtScale:
        """Choose the model for a picture of this size.

        Raises:
            OutputSizeError: the result would not be larger.
            ScaleError: the scales of the models are too small, or none is the requested one.
        """
        if self.output_size.scale is not None:
            return self.models.at(self.output_size.scale)
        new_width, new_height = self.output_size.for_picture(width, height)
        return self.models.at_least(max(new_width / width, new_height / height))


def upscale_file(
    source: Path,
    target: Path,
    spec: UpscaleSpec,
    advance: Advance,
    note: Note,
    bands: Sequence[Path] = (),
) -> None:
    """Upscale a file into another, which is complete or does not exist.

    The suffix of ``target`` determines the format.

    Args:
        source: the file to upscale.
        target: the file to write.
        spec: how to upscale it.
        advance: called with the number of source pixels that were upscaled since the last call.
        note: called with each sentence about what the result does not keep.
        bands: the files that are joined, if the source is their name.

    Raises:
        ImageError: the source cannot be read or upscaled in this way, or the target's format cannot
            store it; the message names the source.
        OSError: the target cannot be written.
    """
    with naming_file(source), open_source(source, spec, bands) as file:
        models = [spec.model_for(page.picture.width, page.picture.height) for page in file.pages]
        for page, model in zip(file.pages, models, strict=True):
            check_bands(model.tiling.engine.descriptor, page.picture)
        if spec.axes != "in-plane":
            target.parent.mkdir(parents=True, exist_ok=True)
            pages = upscale_through(file.pages, models[0], advance, target.parent, spec.axes)
        else:
            pages = [
                _upscale_page(page, model, spec, advance)
                for page, model in zip(file.pages, models, strict=True)
            ]
        codec = file.codec if file.codec.is_folder else None
        codec = codec_of_suffix(split_name(target)[1]) or codec
        if codec is None:
            raise ImageError(f"{target.name} has the suffix of no known format")
        codec.check(pages)
        if spec.overviews and (codec.name != "tiff" or len(pages) > 1):
            raise ImageError("--overviews is for a TIFF of one page")
        notes = [text for page in file.pages for text in page.notes]
        deviation = None
        if spec.consistent:
            if codec.is_lossy:
                raise ImageError(
                    f"{codec.name.upper()} is written with a loss, and so is not consistent:"
                    " --format png"
                )
            pages, deviation = _consistent(pages, models[0].scale)
        provenance = models[0].provenance(file.pages[0].picture.dtype, deviation)
        for text in dict.fromkeys([*notes, *codec.losses(pages, provenance)]):
            note(f"{source}: {text}")
        write_picture(target, codec, pages, provenance, overviews=spec.overviews)


@contextmanager
def open_source(
    source: Path, spec: UpscaleSpec, bands: Sequence[Path] = ()
) -> Iterator[PictureFile]:
    """Open a file, or joined ones, with the black and white that the pictures are upscaled with.

    Raises:
        ImageError: see :func:`drnsr.images.reading.open_picture`.
    """
    pixels = spec.models.pixels
    measured = pixels == RGB8
    reading = open_picture(source, spec.value_range, measured=measured)
    if bands:
        reading = open_joined(bands, spec.value_range)
    with reading as file:
        if measured or spec.value_range is not None:
            yield file
            return
        seen = [replace(page, picture=as_trained(page.picture, pixels)) for page in file.pages]
        yield replace(file, pages=seen)


@contextmanager
def naming_file(source: Path) -> Iterator[None]:
    """Let every UserError of this block name the file: it becomes an ImageError."""
    try:
        yield
    except (ImageError, SignalError):
        raise  # an ImageError names the file already; a signal is not the fault of the file
    except UserError as error:
        raise ImageError(f"{source}: {error}") from error


def _upscale_page(
    page: Page, model: ModelAtScale, spec: UpscaleSpec, advance: Advance
) -> UpscaledPage:
    height, width, rows = upscale_rows(page.picture, model, spec, advance)
    return UpscaledPage(height=height, width=width, source=page, rows=rows)


def upscale_rows(
    picture: Picture, model: ModelAtScale, spec: UpscaleSpec, advance: Advance
) -> tuple[int, int, Iterator[Pixels]]:
    """Upscale a picture to the requested size.

    Args:
        picture: the picture.
        model: the one that ``spec`` chooses for its size.
        spec: how to upscale it.
        advance: see :data:`drnsr.inference.tiling.Advance`.

    Returns:
        The height and width of the result, and its bands of rows (n, W, C).
    """
    width, height = spec.output_size.for_picture(picture.width, picture.height)
    full_size = picture.height * model.scale, picture.width * model.scale
    if (height, width) == full_size:
        return height, width, model.tiling.iter_rows(picture, advance)
    rows = model.tiling.iter_rows(replace(picture, keeps_holes=False), advance)
    rows = resize_rows(rows, full_size, (height, width))
    return height, width, restore_holes_by_rows(rows, picture, (height, width))


def _consistent(pages: Sequence[UpscaledPage], scale: int) -> tuple[list[UpscaledPage], float]:
    """Project pages, whose rows are then in temporary files, and return the deviation left."""
    projected, deviation = [], 0.0
    for page in pages:
        projection = Projection(page.source.picture, scale)
        rows = PixelFile(projection.rows(page.rows)).rows
        picture = replace(page.source.picture, height=page.height, width=page.width, rows=rows)
        deviation = max(deviation, projection.deviation(iter_rows(picture)))
        projected.append(replace(page, rows=iter_rows(picture)))
    return projected, deviation


def describe(source: Path, spec: UpscaleSpec) -> tuple[str, str, str]:
    """Return the size of a file, the size of its result, and the name of the model.

    Raises:
        ImageError: see :func:`upscale_file`.
    """
    with naming_file(source), open_picture(source, measured=False) as file:
        picture, count = file.pages[0].picture, len(file.pages)
        is_volume = file.pages[0].metadata.slices > 0
        model = spec.model_for(picture.width, picture.height)
        width, height = spec.output_size.for_picture(picture.width, picture.height)
    before, after = f"{picture.width} x {picture.height}", f"{width} x {height}"
    if is_volume:
        after = before if spec.axes == "through-plane" else after
        before += f" x {count}"
        after += f" x {count if spec.axes == 'in-plane' else count * model.scale}"
    elif count > 1:
        before += f" ({count} pages)"
    return before, after, model.file.stem
