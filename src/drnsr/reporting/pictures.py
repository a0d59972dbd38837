"""Side-by-side pictures: LR, bicubic, model and HR, with a zoomed crop."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from drnsr.evaluation.benchmark import Measured, Result
from drnsr.evaluation.metrics import PRIMARY, known_metrics, subtract
from drnsr.images.colour import gray_to_rgb
from drnsr.images.files import write_png

# In pixels of the picture that is made.
_CROP_SHOWN = 240
_GAP = 12
_CAPTION = 44
_TITLE = 30
_INK = (32, 33, 36)
_FRAME = ("black", "yellow")  # one of them stands out on any picture

# In pixels of HR: divides by 2, 3, 4 and 8, and is shown five times as large.
_CROP = 48


def comparison(measured: Measured) -> Image.Image:
    """Draw one picture: HR with the crop's place, and the crop of LR, bicubic, model and HR.

    Shown is the crop that bicubic gets most wrong, chosen without a look at the model's output.
    Pixels are enlarged by repetition, so that one sees what is there and nothing else.
    """
    scale = measured.hr.shape[0] // measured.lr.shape[0]
    size = min(_CROP, *measured.hr.shape[:2]) // scale * scale
    bicubic, model = measured.results["bicubic"], measured.results["model"]
    top, left = hardest_crop(measured.hr, bicubic.picture, size, multiple=scale)
    panels = [
        (_crop(measured.lr, top // scale, left // scale, size // scale), f"LR (x{scale})", ""),
        (_crop(bicubic.picture, top, left, size), "bicubic", _score(bicubic)),
        (_crop(model.picture, top, left, size), "model", _score(model)),
        (_crop(measured.hr, top, left, size), "HR (original)", ""),
    ]
    overview = _overview(measured.hr, top, left, size)
    width = overview.width + len(panels) * (_CROP_SHOWN + _GAP) + 2 * _GAP
    height = _TITLE + _CROP_SHOWN + _CAPTION + 2 * _GAP
    canvas = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(canvas)
    gain = subtract(model.values, bicubic.values)[PRIMARY.name]
    title = f"{measured.name}   model {PRIMARY.text(gain, sign=True, unit=True)} over bicubic"
    draw.text((_GAP, _GAP), title, fill=_INK, font=_font(18))
    canvas.paste(overview, (_GAP, _GAP + _TITLE))
    for number, (pixels, name, score) in enumerate(panels):
        x = overview.width + 2 * _GAP + number * (_CROP_SHOWN + _GAP)
        shown = Image.fromarray(pixels).resize((_CROP_SHOWN, _CROP_SHOWN), Image.Resampling.NEAREST)
        canvas.paste(shown, (x, _GAP + _TITLE))
        y = _GAP + _TITLE + _CROP_SHOWN + 4
        draw.text((x, y), name, fill=_INK, font=_font(15))
        draw.text((x, y + 20), score, fill=_INK, font=_font(13))
    return canvas


def hardest_crop(
    hr: NDArray[np.uint8], bicubic: NDArray[np.uint8], size: int, *, multiple: int
) -> tuple[int, int]:
    """Where bicubic's squared error, summed over ``size`` x ``size`` pixels, is largest.

    Returns:
        (top, left), multiples of ``multiple``, so that LR has the same place.
    """
    error = ((hr.astype(np.float64) - bicubic) ** 2).sum(axis=2)
    # Every window's sum at once, from sums over the rectangles that begin at the corner.
    corner = np.pad(error.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    sums = corner[size:, size:] - corner[:-size, size:] - corner[size:, :-size]
    sums = (sums + corner[:-size, :-size])[::multiple, ::multiple]
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(top) * multiple, int(left) * multiple


def write_comparison(path: Path, measured: Measured) -> None:
    """Write :func:`comparison` as a PNG file."""
    write_png(path, np.asarray(comparison(measured)))


def _overview(hr: NDArray[np.uint8], top: int, left: int, size: int) -> Image.Image:
    whole = Image.fromarray(gray_to_rgb(hr))
    shrink = _CROP_SHOWN / whole.height
    small = whole.resize((round(whole.width * shrink), _CROP_SHOWN), Image.Resampling.LANCZOS)
    x, y, side = round(left * shrink), round(top * shrink), round(size * shrink)
    for grown, colour in enumerate(reversed(_FRAME), start=1):
        corner, opposite = (x - grown, y - grown), (x + side + grown, y + side + grown)
        ImageDraw.Draw(small).rectangle((*corner, *opposite), outline=colour)
    return small


def _crop(image: NDArray[np.uint8], top: int, left: int, size: int) -> NDArray[np.uint8]:
    return gray_to_rgb(image[top : top + size, left : left + size])


def _score(result: Result) -> str:
    metrics = known_metrics(result.values)
    return " / ".join(metric.text(result.values[metric.name], unit=True) for metric in metrics)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
