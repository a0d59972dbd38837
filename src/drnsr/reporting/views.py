"""What a page shows of one picture: a crop by each method and maps of the errors."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from drnsr.atomic import write_text
from drnsr.evaluation.benchmark import Measured
from drnsr.images.colour import gray_to_rgb
from drnsr.reporting.drawing import jpeg_url
from drnsr.reporting.pictures import hardest_crop

ORIGINAL = "HR (original)"
"""The name of the original among the crops."""

_CROP = 144  # pixels of HR: a multiple of 2, 3, 4 and 8
_MAP_SIDE = 280  # the longer side of an error map in pixels, at most
_MAP_QUALITY = 70  # of JPEG
_MAP_PERCENTILE = 99.5  # of the baseline's errors, from which the brightest colour is drawn


@dataclass(frozen=True)
class PictureViews:
    """The views of one picture, as data URLs.

    Attributes:
        size: the sides of the crop in pixels.
        crops: the same crop by each method, and of the original under :data:`ORIGINAL`.
        errors: by method, the mean absolute error over the channels, from black to yellow.
        error_limit: the error, of 255, that is drawn in the brightest colour.
        shown: which bands are displayed, in words; empty for 8-bit RGB and gray.
    """

    size: int
    crops: Mapping[str, str]
    errors: Mapping[str, str]
    error_limit: int
    shown: str = ""


def draw_views(measured: Measured, methods: Sequence[str], baseline: str) -> PictureViews:
    """Draw the crop with the largest error of the baseline, and the errors in the whole picture.

    Args:
        measured: the picture and the results of all methods.
        methods: the methods to draw; the colours of all error maps mean the same.
        baseline: the method that the crop and the colours are chosen by; no other one influences
            them.
    """
    hr = measured.hr
    scale = hr.shape[0] // measured.lr.shape[0]
    size = min(_CROP, *hr.shape[:2]) // scale * scale
    first = measured.results[baseline].picture
    top, left = hardest_crop(hr, first, size, multiple=scale)
    pictures = {name: measured.results[name].picture for name in methods}
    crops = {
        name: jpeg_url(Image.fromarray(_crop(picture, top, left, size)))
        for name, picture in {**pictures, ORIGINAL: hr}.items()
    }
    limit = max(1, int(np.ceil(np.percentile(_error_map(first, hr), _MAP_PERCENTILE))))
    errors = {
        name: jpeg_url(_in_colour(_error_map(picture, hr), limit), _MAP_QUALITY)
        for name, picture in pictures.items()
    }
    return PictureViews(size, crops, errors, limit, measured.shown)


def write_views(path: Path, views: PictureViews) -> None:
    """Write the views of a picture as JSON."""
    write_text(path, json.dumps(asdict(views)) + "\n")


def read_views(path: Path) -> PictureViews | None:
    """Read what :func:`write_views` wrote; None if there is no such file."""
    if not path.is_file():
        return None
    return PictureViews(**json.loads(path.read_text(encoding="utf-8")))


def _crop(picture: NDArray[np.uint8], top: int, left: int, size: int) -> NDArray[np.uint8]:
    return gray_to_rgb(picture[top : top + size, left : left + size])


def _error_map(picture: NDArray[np.uint8], hr: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean absolute error over the channels, averaged over pixels of a large picture."""
    errors: NDArray[np.float32] = np.abs(picture.astype(np.float32) - hr).mean(axis=2)
    height, width = errors.shape
    shrink = _MAP_SIDE / max(height, width)
    if shrink >= 1:
        return errors
    small = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    reduced: NDArray[np.float32] = cv2.resize(errors, small, interpolation=cv2.INTER_AREA)
    return reduced


def _in_colour(errors: NDArray[np.float32], limit: int) -> Image.Image:
    levels = (errors / limit * 255).clip(0, 255).astype(np.uint8)
    return Image.fromarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[:, :, ::-1])
