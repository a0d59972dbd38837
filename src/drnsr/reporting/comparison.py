"""What a model adds to bicubic interpolation: the same place of a picture by both, side by side."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from drnsr.atomic import atomic_path
from drnsr.images.picture import Box, Picture, Pixels
from drnsr.images.reading import PictureFile, open_picture
from drnsr.inference.resample import resampled_part, span
from drnsr.reporting.display import Seen, Shades, seen
from drnsr.reporting.overview import survey
from drnsr.upscale.files import UpscaleSpec, mentions
from drnsr.upscale.models import ModelAtScale
from drnsr.upscale.provenance import KEY

# Of the place that is shown, in pixels of the enlarged picture; and how large each is drawn.
_HEIGHT, _WIDTH, _ZOOM = 144, 192, 3

# In pixels of what is drawn.
_WHOLE = 432
_GAP = 16
_TITLE, _CAPTION, _NOTE = 20, 16, 13  # of letters
_INK, _FAINT = (32, 33, 36), (95, 99, 104)
_THICK = 2
_FRAME = ("black", "yellow")  # one of them stands out on any picture


@dataclass(frozen=True)
class Comparison:
    """The same place of a picture, enlarged by two methods.

    Attributes:
        name: of the picture's file.
        before: its (width, height).
        after: that of the enlarged picture.
        model: the name of the model.
        whole: the picture made small.
        place: in pixels of the enlarged picture.
        bicubic: the place, enlarged bicubically; a pixel for each of the enlarged picture.
        enlarged: the place, enlarged by the model.
        note: what of the picture is shown, where it is not all.
        provenance: of the model, as the pictures that it makes say it.
    """

    name: str
    before: tuple[int, int]
    after: tuple[int, int]
    model: str
    whole: Image.Image
    place: Box
    bicubic: Image.Image
    enlarged: Image.Image
    note: str
    provenance: str


def compare(source: Path, work: UpscaleSpec) -> Comparison:
    """Enlarge the most detailed place of a picture, of the first page of several.

    What is in memory does not grow with the picture, nor does the time, but for one look at its
    rows.

    Args:
        source: the picture's file.
        work: how it is enlarged.

    Raises:
        ImageError: see :func:`drnsr.upscale.files.enlarge_file`.
    """
    with mentions(source), open_picture(source, work.value_range) as file:
        page = file.pages[0]
        before = page.picture.width, page.picture.height
        model, after = work.model(*before), work.target.of(*before)
        x, y = after[0] / before[0], after[1] / before[1]
        small, (row, column) = survey(
            page.picture, 2 * _WHOLE, (round(_HEIGHT / y), round(_WIDTH / x))
        )
        top = min(round(row * y), max(0, after[1] - _HEIGHT))
        left = min(round(column * x), max(0, after[0] - _WIDTH))
        place = Box(top, min(top + _HEIGHT, after[1]), left, min(left + _WIDTH, after[0]))
        shades = Shades.of(page, small)
        return Comparison(
            name=source.name.encode(errors="replace").decode(),  # it may be of any bytes
            before=before,
            after=after,
            model=model.file.stem,
            whole=shades.paint(small),
            place=place,
            bicubic=shades.paint(bicubic_part(page.picture, after, place)),
            enlarged=shades.paint(_enlarged(page.picture, model, after, place)),
            note=", ".join(filter(None, (_told(file), shades.told(page.picture)))),
            provenance=model.provenance,
        )


def _told(file: PictureFile) -> str:
    channels = file.pages[0].picture.channels
    shown = []
    if len(file.pages) > 1:
        shown.append(f"the first of {len(file.pages)} pages")
    if len(channels.groups) > 1:
        first = len(channels.groups[0])
        shown.append(f"the first {f'{first} ' if first > 1 else ''}of {channels.colour} bands")
    return ", ".join(shown)


def bicubic_part(picture: Picture, after: tuple[int, int], place: Box) -> Seen:
    """A place of a picture that is enlarged bicubically.

    Args:
        picture: to enlarge.
        after: its new (width, height).
        place: in pixels of the enlarged picture.
    """

    def read(box: Box) -> Pixels:
        return picture.rows(box.top, box.bottom)[:, box.left : box.right]

    return _resampled(read, picture, 1, after, place)


def _enlarged(picture: Picture, model: ModelAtScale, after: tuple[int, int], place: Box) -> Seen:
    scale = model.scale

    def read(box: Box) -> Pixels:
        lr = Box(
            box.top // scale, -(-box.bottom // scale), box.left // scale, -(-box.right // scale)
        )
        top, left = box.top - lr.top * scale, box.left - lr.left * scale
        pixels = model.tiling.part(picture, lr)
        return pixels[top : top + box.height, left : left + box.width]

    return _resampled(read, picture, scale, after, place)


def _resampled(
    read: Callable[[Box], Pixels], picture: Picture, scale: int, after: tuple[int, int], place: Box
) -> Seen:
    """A place of the picture ``scale`` times as large, of which ``read`` gives parts, resized."""
    size, wanted = (picture.height * scale, picture.width * scale), (after[1], after[0])
    top, bottom = span(size[0], wanted[0], place.top, place.bottom)
    left, right = span(size[1], wanted[1], place.left, place.right)
    part = read(Box(top, bottom, left, right))
    if picture.may_have_holes:  # which must not flow into what is seen
        return resampled_part(seen(part, picture), (top, left), size, wanted, place)
    return seen(resampled_part(part, (top, left), size, wanted, place), picture)


def framed(comparison: Comparison, side: int) -> Image.Image:
    """The whole picture, its longer side about so many pixels, and a frame around the place."""
    whole, place = comparison.whole, comparison.place
    shrink = side / max(whole.size)
    if shrink >= 1:
        small = repeated(whole, int(shrink))
    else:
        width, height = (max(1, round(length * shrink)) for length in whole.size)
        small = whole.resize((width, height), Image.Resampling.LANCZOS)
    x, y = small.width / comparison.after[0], small.height / comparison.after[1]
    # Around the place, but not beyond the picture, where it would not be seen.
    beyond = 2 * _THICK
    left, top = max(0, round(place.left * x) - beyond), max(0, round(place.top * y) - beyond)
    right = min(small.width, round(place.right * x) + beyond) - 1
    bottom = min(small.height, round(place.bottom * y) + beyond) - 1
    for inset, colour in zip((0, _THICK), _FRAME, strict=True):
        corners = (left + inset, top + inset, right - inset, bottom - inset)
        if corners[0] <= corners[2] and corners[1] <= corners[3]:
            ImageDraw.Draw(small).rectangle(corners, outline=colour, width=_THICK)
    return small


def repeated(image: Image.Image, times: int) -> Image.Image:
    """Each pixel as a square, so that one sees what is there and nothing else."""
    size = image.width * times, image.height * times
    return image.resize(size, Image.Resampling.NEAREST)


def draw(comparison: Comparison) -> Image.Image:
    """The whole picture, and the place by both methods, side by side."""
    place = comparison.bicubic
    zoom = max(1, min(_WIDTH * _ZOOM // place.width, _HEIGHT * _ZOOM // place.height))
    each = f"{place.width} x {place.height} pixels, each drawn {zoom} x {zoom}"
    pixels = "{} x {} pixels".format(*comparison.before)
    panels = [
        (
            framed(comparison, _WHOLE),
            comparison.name,
            ", ".join(filter(None, (pixels, comparison.note))),
        ),
        (repeated(place, zoom), "bicubic", each),
        (repeated(comparison.enlarged, zoom), comparison.model, each),
    ]
    columns = [max(image.width, _WHOLE // 2) for image, _, _ in panels]
    tall = max(image.height for image, _, _ in panels)
    size = (
        sum(columns) + _GAP * (len(panels) + 1),
        3 * _GAP + _TITLE + tall + _CAPTION + 2 * _NOTE,
    )
    canvas = Image.new("RGB", size, "white")
    x, y = _GAP, _GAP
    title = f"{comparison.name}: {pixels} to {{}} x {{}}".format(*comparison.after)
    _write(canvas, (x, y), title, _TITLE, _INK, size[0] - 2 * _GAP)
    y += _TITLE + _GAP
    for (image, caption, note), column in zip(panels, columns, strict=True):
        canvas.paste(image, (x, y))
        below = y + image.height + _GAP // 2
        _write(canvas, (x, below), caption, _CAPTION, _INK, column)
        _write(canvas, (x, below + _CAPTION + 4), note, _NOTE, _FAINT, column)
        x += column + _GAP
    return canvas


def _write(
    canvas: Image.Image,
    at: tuple[int, int],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    width: int,
) -> None:
    """Write a line, cut off where it would be wider."""
    font = ImageFont.load_default(size)
    shown = text
    while font.getlength(shown) > width and len(shown) > 1:
        text = text[:-1]
        shown = f"{text}..."
    ImageDraw.Draw(canvas).text(at, shown, fill=colour, font=font)


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Write :func:`draw` as a PNG file, whole or not at all; it says which model it shows."""
    made_by = PngInfo()
    made_by.add_itxt(KEY, comparison.provenance)
    with atomic_path(path) as partial:
        draw(comparison).save(partial, format="PNG", pnginfo=made_by)
