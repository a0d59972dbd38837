"""Pictures of the report: the same crop of LR, bicubic, model and HR side by side."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from drnsr.evaluation.benchmark import Measured, Result
from drnsr.evaluation.metrics import PRIMARY, known_metrics, subtract
from drnsr.images.colour import gray_to_rgb
from drnsr.images.encoding import write_png
from drnsr.reporting.drawing import draw_frame, draw_text

# In pixels of the drawing.
_PANEL = 240
_GAP = 12
_CAPTION = 44
_TITLE = 30

# In pixels of HR: a multiple of 2, 3, 4 and 8, magnified five times.
_CROP = 48


def label_of(name: str) -> str:
    """Return what a model is called beside bicubic interpolation."""
    return "the model" if name == "bicubic" else name


def draw_panels(measured: Measured, model: str) -> Image.Image:
    """Draw HR with a frame around a crop, and this crop of LR, bicubic, model and HR.

    The crop is the one with the largest error of bicubic interpolation; the model's output does not
    influence the choice. Pixels are magnified by repetition.

    Args:
        measured: the picture and its results, ``bicubic`` and ``model``.
        model: the name of the model.
    """
    scale = measured.hr.shape[0] // measured.lr.shape[0]
    size = min(_CROP, *measured.hr.shape[:2]) // scale * scale
    label, bicubic, result = label_of(model), measured.results["bicubic"], measured.results["model"]
    top, left = hardest_crop(measured.hr, bicubic.picture, size, multiple=scale)
    panels = [
        (_crop(measured.lr, top // scale, left // scale, size // scale), f"LR (x{scale})", ""),
        (_crop(bicubic.picture, top, left, size), "bicubic", _score(bicubic)),
        (_crop(result.picture, top, left, size), label, _score(result)),
        (_crop(measured.hr, top, left, size), "HR (original)", ""),
    ]
    overview = _overview(measured.hr, top, left, size)
    width = overview.width + len(panels) * (_PANEL + _GAP) + 2 * _GAP
    height = _TITLE + _PANEL + _CAPTION + 2 * _GAP
    canvas = Image.new("RGB", (width, height), "white")
    gain = subtract(result.values, bicubic.values)[PRIMARY.name]
    title = f"{measured.name}   {label} {PRIMARY.text(gain, sign=True, unit=True)} over bicubic"
    if measured.shown:
        title += f"   (shown: {measured.shown})"
    draw_text(canvas, (_GAP, _GAP), title, 18)
    canvas.paste(overview, (_GAP, _GAP + _TITLE))
    for number, (pixels, name, score) in enumerate(panels):
        x = overview.width + 2 * _GAP + number * (_PANEL + _GAP)
        panel = Image.fromarray(pixels).resize((_PANEL, _PANEL), Image.Resampling.NEAREST)
        canvas.paste(panel, (x, _GAP + _TITLE))
        y = _GAP + _TITLE + _PANEL + 4
        draw_text(canvas, (x, y), name, 15, max_width=_PANEL)
        draw_text(canvas, (x, y + 20), score, 13)
    return canvas


def hardest_crop(
    hr: NDArray[np.uint8], bicubic: NDArray[np.uint8], size: int, *, multiple: int
) -> tuple[int, int]:
    """Find the crop of ``size`` x ``size`` pixels with the largest squared error of bicubic.

    Returns:
        (top, left), multiples of ``multiple``, so that the crop exists in LR as well.
    """
    error = ((hr.astype(np.float64) - bicubic) ** 2).sum(axis=2)
    # The sums of all windows from a summed-area table.
    corner = np.pad(error.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    sums = corner[size:, size:] - corner[:-size, size:] - corner[size:, :-size]
    sums = (sums + corner[:-size, :-size])[::multiple, ::multiple]
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(top) * multiple, int(left) * multiple


def write_panels(path: Path, measured: Measured, model: str) -> None:
    """Write :func:`draw_panels` as a PNG file."""
    write_png(path, np.asarray(draw_panels(measured, model)))


def _overview(hr: NDArray[np.uint8], top: int, left: int, size: int) -> Image.Image:
    whole = Image.fromarray(gray_to_rgb(hr))
    shrink = _PANEL / whole.height
    small = whole.resize((round(whole.width * shrink), _PANEL), Image.Resampling.LANCZOS)
    x, y, side = round(left * shrink), round(top * shrink), round(size * shrink)
    draw_frame(small, (x - 2, y - 2, x + side + 2, y + side + 2), 1)
    return small


def _crop(image: NDArray[np.uint8], top: int, left: int, size: int) -> NDArray[np.uint8]:
    return gray_to_rgb(image[top : top + size, left : left + size])


def _score(result: Result) -> str:
    metrics = known_metrics(result.values)
    return " / ".join(metric.text(result.values[metric.name], unit=True) for metric in metrics)
