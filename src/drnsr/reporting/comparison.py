"""Comparison with bicubic interpolation: the same crop of a picture upscaled by both methods."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from drnsr.atomic import atomic_path
from drnsr.images.codec import PROVENANCE_KEY
from drnsr.images.page import Page
from drnsr.images.picture import Box, Picture, Pixels
from drnsr.images.reading import PictureFile
from drnsr.images.resample import resize_part, source_span
from drnsr.reporting.display import DisplayRange, PremultipliedRGBA, to_premultiplied
from drnsr.reporting.drawing import FAINT_INK, INK, draw_frame, draw_text, magnify
from drnsr.reporting.overview import overview
from drnsr.upscale.files import UpscaleSpec, naming_file, open_source
from drnsr.upscale.models import ModelAtScale

# The crop in pixels of the upscaled picture, and how many times it is magnified.
_CROP_HEIGHT, _CROP_WIDTH, _ZOOM = 144, 192, 3

# In pixels of the drawing.
_THUMBNAIL = 432
_GAP = 16
_TITLE, _CAPTION, _NOTE = 20, 16, 13  # font sizes
_FRAME_THICKNESS = 2


@dataclass(frozen=True)
class CropComparison:
    """The same crop of a picture, upscaled by bicubic interpolation and by a model.

    Attributes:
        name: the name of the picture's file.
        size: (width, height) of the picture.
        new_size: (width, height) of the upscaled picture.
        model: the name of the model.
        thumbnail: the whole picture at a small size.
        crop: the place of the crop in pixels of the upscaled picture.
        bicubic: the crop upscaled by bicubic interpolation, crop.height x crop.width pixels.
        upscaled: the crop upscaled by the model, of the same size.
        note: which part of the file is displayed, if it is not all, and in which value range.
        provenance: the provenance of the upscaled picture.
    """

    name: str
    size: tuple[int, int]
    new_size: tuple[int, int]
    model: str
    thumbnail: Image.Image
    crop: Box
    bicubic: Image.Image
    upscaled: Image.Image
    note: str
    provenance: str


def compare_with_bicubic(source: Path, spec: UpscaleSpec) -> CropComparison:
    """Upscale the most detailed crop of a picture, of the first page of several.

    Of a volume, whose first slice is often empty, it is the slice in the middle.

    All rows of the picture are read once. Memory and other computation do not depend on its size.

    Args:
        source: the picture's file.
        spec: how it is upscaled.

    Raises:
        ImageError: see :func:`drnsr.upscale.files.upscale_file`.
    """
    with naming_file(source), open_source(source, spec) as file:
        page = file.pages[file.pages[0].metadata.slices // 2]
        return compare_page(source.name, page, spec, _describe_part(file))


def compare_page(name: str, page: Page, spec: UpscaleSpec, part: str) -> CropComparison:
    """Upscale the most detailed crop of a page.

    Args:
        name: of its file.
        page: the page.
        spec: how it is upscaled.
        part: which part of the file it is; empty if it is all.
    """
    size = page.picture.width, page.picture.height
    model, new_size = spec.model_for(*size), spec.output_size.for_picture(*size)
    x, y = new_size[0] / size[0], new_size[1] / size[1]
    thumbnail, (row, column) = overview(
        page.picture, 2 * _THUMBNAIL, (round(_CROP_HEIGHT / y), round(_CROP_WIDTH / x))
    )
    top = min(round(row * y), max(0, new_size[1] - _CROP_HEIGHT))
    left = min(round(column * x), max(0, new_size[0] - _CROP_WIDTH))
    bottom, right = min(top + _CROP_HEIGHT, new_size[1]), min(left + _CROP_WIDTH, new_size[0])
    crop = Box(top, bottom, left, right)
    display = DisplayRange.for_page(page, thumbnail)
    return CropComparison(
        name=name.encode(errors="replace").decode(),  # it may contain any bytes
        size=size,
        new_size=new_size,
        model=model.file.stem,
        thumbnail=display.to_image(thumbnail),
        crop=crop,
        bicubic=display.to_image(bicubic_crop(page.picture, new_size, crop)),
        upscaled=display.to_image(_model_crop(page.picture, model, new_size, crop)),
        note=", ".join(filter(None, (part, display.describe(page.picture)))),
        provenance=model.provenance(page.picture.dtype),
    )


def _describe_part(file: PictureFile) -> str:
    """Describe which page and bands are displayed; empty if it is all."""
    channels = file.pages[0].picture.channels
    parts = []
    if slices := file.pages[0].metadata.slices:
        parts.append(f"slice {slices // 2 + 1} of {len(file.pages)}")
    elif len(file.pages) > 1:
        parts.append(f"the first of {len(file.pages)} pages")
    if len(channels.groups) > 1:
        first = len(channels.groups[0])
        parts.append(f"the first {f'{first} ' if first > 1 else ''}of {channels.colour} bands")
    return ", ".join(parts)


def bicubic_crop(picture: Picture, new_size: tuple[int, int], crop: Box) -> PremultipliedRGBA:
    """Upscale a crop of a picture by bicubic interpolation.

    Args:
        picture: the picture.
        new_size: (width, height) of the upscaled picture.
        crop: in pixels of the upscaled picture.
    """

    def read(box: Box) -> Pixels:
        return picture.rows(box.top, box.bottom)[:, box.left : box.right]

    return _resized_crop(read, picture, 1, new_size, crop)


def _model_crop(
    picture: Picture, model: ModelAtScale, new_size: tuple[int, int], crop: Box
) -> PremultipliedRGBA:
    scale = model.scale

    def read(box: Box) -> Pixels:
        lr = Box(
            box.top // scale, -(-box.bottom // scale), box.left // scale, -(-box.right // scale)
        )
        top, left = box.top - lr.top * scale, box.left - lr.left * scale
        pixels = model.tiling.upscale_box(picture, lr)
        return pixels[top : top + box.height, left : left + box.width]

    return _resized_crop(read, picture, scale, new_size, crop)


def _resized_crop(
    read: Callable[[Box], Pixels],
    picture: Picture,
    scale: int,
    new_size: tuple[int, int],
    crop: Box,
) -> PremultipliedRGBA:
    """Resize a picture that is upscaled by ``scale`` to ``new_size``, and return a crop of it.

    Args:
        read: returns a box of the upscaled picture.
        picture: the picture before it is upscaled.
        scale: the factor between both.
        new_size: (width, height) of the result.
        crop: in pixels of the result.
    """
    size, wanted = (picture.height * scale, picture.width * scale), (new_size[1], new_size[0])
    top, bottom = source_span(size[0], wanted[0], crop.top, crop.bottom)
    left, right = source_span(size[1], wanted[1], crop.left, crop.right)
    part = read(Box(top, bottom, left, right))
    if picture.may_have_holes:  # their values must not be interpolated
        pixels = to_premultiplied(part, picture)
        return resize_part(pixels, (top, left), size, wanted, crop)
    return to_premultiplied(resize_part(part, (top, left), size, wanted, crop), picture)


def framed_thumbnail(comparison: CropComparison, side: int) -> Image.Image:
    """Draw the whole picture with a frame around the crop.

    Args:
        comparison: the comparison.
        side: the approximate longer side of the result in pixels.
    """
    thumbnail, crop = comparison.thumbnail, comparison.crop
    shrink = side / max(thumbnail.size)
    if shrink >= 1:
        image = magnify(thumbnail, int(shrink))
    else:
        width, height = (max(1, round(length * shrink)) for length in thumbnail.size)
        image = thumbnail.resize((width, height), Image.Resampling.LANCZOS)
    x, y = image.width / comparison.new_size[0], image.height / comparison.new_size[1]
    # The frame lies around the crop, but not outside of the picture, where it would be invisible.
    margin = 2 * _FRAME_THICKNESS
    left, top = max(0, round(crop.left * x) - margin), max(0, round(crop.top * y) - margin)
    right = min(image.width, round(crop.right * x) + margin) - 1
    bottom = min(image.height, round(crop.bottom * y) + margin) - 1
    draw_frame(image, (left, top, right, bottom), _FRAME_THICKNESS)
    return image


def draw_comparison(comparison: CropComparison) -> Image.Image:
    """Draw the whole picture and the crop by both methods side by side."""
    crop = comparison.bicubic
    zoom = max(1, min(_CROP_WIDTH * _ZOOM // crop.width, _CROP_HEIGHT * _ZOOM // crop.height))
    crop_note = f"{crop.width} x {crop.height} pixels, each drawn {zoom} x {zoom}"
    pixels = "{} x {} pixels".format(*comparison.size)
    panels = [
        (
            framed_thumbnail(comparison, _THUMBNAIL),
            comparison.name,
            ", ".join(filter(None, (pixels, comparison.note))),
        ),
        (magnify(crop, zoom), "bicubic", crop_note),
        (magnify(comparison.upscaled, zoom), comparison.model, crop_note),
    ]
    columns = [max(image.width, _THUMBNAIL // 2) for image, _, _ in panels]
    height = max(image.height for image, _, _ in panels)
    size = (
        sum(columns) + _GAP * (len(panels) + 1),
        3 * _GAP + _TITLE + height + _CAPTION + 2 * _NOTE,
    )
    canvas = Image.new("RGB", size, "white")
    x, y = _GAP, _GAP
    title = f"{comparison.name}: {pixels} to {{}} x {{}}".format(*comparison.new_size)
    draw_text(canvas, (x, y), title, _TITLE, max_width=size[0] - 2 * _GAP)
    y += _TITLE + _GAP
    for (image, caption, note), column in zip(panels, columns, strict=True):
        canvas.paste(image, (x, y))
        below = y + image.height + _GAP // 2
        draw_text(canvas, (x, below), caption, _CAPTION, INK, column)
        draw_text(canvas, (x, below + _CAPTION + 4), note, _NOTE, FAINT_INK, column)
        x += column + _GAP
    return canvas


def write_comparison(path: Path, comparison: CropComparison) -> None:
    """Write :func:`draw_comparison` as a PNG file with the provenance of the upscaled picture."""
    texts = PngInfo()
    texts.add_itxt(PROVENANCE_KEY, comparison.provenance)
    with atomic_path(path) as partial:
        draw_comparison(comparison).save(partial, format="PNG", pnginfo=texts)
