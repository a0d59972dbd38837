"""Preparing data sets: pictures are decoded once, checked, downscaled, and written in order.

The work runs on all cores; the bytes of a dataset depend on the pictures alone.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import ceil, prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from drnsr.atomic import naming_file
from drnsr.data.degraded import degrade_picture
from drnsr.data.parallel import Progress, no_progress
from drnsr.data.patterns import value_for
from drnsr.data.prepared import DataError, PackedImage, PreparedDataset, pixel_file
from drnsr.data.readers import PhotoReader, Reader
from drnsr.data.training_range import percentile_range
from drnsr.data.writing import PreparedPicture, WriteOptions, write_index, write_pixels
from drnsr.degradation.parameters import Degradation
from drnsr.images.codec import MAX_PIXELS
from drnsr.images.colour import gray_to_rgb
from drnsr.images.errors import ImageError
from drnsr.images.pixel_format import RGB8
from drnsr.images.resize import crop_to_multiple, downscale

log = logging.getLogger("drnsr")


@dataclass(frozen=True)
class Part:
    """Pictures with a validation split of their own.

    Attributes:
        pictures: the files, in the order of the dataset.
        validation: the fraction that is withheld, rounded up, of which one picture is always left
            to train on; or the name of the one picture that is withheld.
        shrink: factors by which pictures are downscaled first, by name or pattern; JPEG's artefacts
            disappear in half the size.
        name: of the part.
    """

    pictures: Sequence[Path]
    validation: float | str
    shrink: Mapping[str, int] = field(default_factory=dict)
    name: str = ""


LowResolution = Callable[[Path, NDArray[Any], int], NDArray[Any]]
"""A function of a picture's file, its pixels (H, W, C) and a scale that returns its LR,
(H // scale, W // scale, C), or raises ImageError."""


@dataclass(frozen=True)
class Checks:
    """Requirements on training pictures.

    Attributes:
        bad_images: "fail" raises an error that names all unusable pictures; "skip" leaves them out.
        max_pixels: a picture with more pixels by its header is refused before it is decoded.
        min_side: smallest allowed side in pixels, at least the largest scale.
    """

    bad_images: Literal["fail", "skip"] = "fail"
    max_pixels: int = MAX_PIXELS
    min_side: int = 1


def bicubic_lr(picture: Path, pixels: NDArray[Any], scale: int) -> NDArray[Any]:
    """Downscale by MATLAB's bicubic, the :data:`LowResolution` of published results."""
    return downscale(crop_to_multiple(pixels, scale), scale)


def dense_bicubic_lr(pixels: NDArray[Any], scale: int) -> NDArray[Any]:
    """Return the bicubic LR of all shifts, as :meth:`PreparedDataset.dense_lr` has it.

    Args:
        pixels: (H, W, C), neither side below ``2 * scale - 1``.
        scale: the factor between HR and LR.
    """
    dense = np.zeros_like(pixels)
    for top, left in product(range(scale), repeat=2):
        shifted = pixels[top:, left:]
        lr = downscale(crop_to_multiple(shifted, scale), scale)
        dense[top::scale, left::scale][: lr.shape[0], : lr.shape[1]] = lr
    return dense


def prepare_training_set(
    parts: Sequence[Part],
    folder: Path,
    *,
    name: str,
    scales: Sequence[int],
    reader: Reader | None = None,
    low_resolution: LowResolution = bicubic_lr,
    dense: bool = False,
    degradation: Degradation | None = None,
    checks: Checks | None = None,
    original_paths: Mapping[Path, Path] | None = None,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> PreparedDataset:
    """Prepare pictures and their low-resolution versions, for training and validation.

    The validation pictures of a part are those with the smallest content hashes, a random choice
    that depends on the pictures alone.

    Args:
        parts: the pictures.
        folder: folder of the dataset.
        name: name of the data set.
        scales: scales of the low-resolution versions.
        reader: reads the pictures; by default 8-bit RGB, to which gray is converted.
        low_resolution: makes the low-resolution versions.
        dense: whether bicubic low resolution is also made of all shifts.
        degradation: makes those of the validation pictures instead; training degrades its crops.
        checks: requirements on the pictures; ``Checks()`` by default.
        original_paths: the user's file of each copied picture, for messages.
        workers: number of threads; by default the number of cores, at most 8.
        progress: shows the progress.

    Raises:
        DataError: if a part has fewer than two pictures, or some are unusable (the message names
            all of them) and must not be left out.
    """
    checks, reader = checks or Checks(), reader or PhotoReader()
    original_paths = original_paths or {}

    def prepare(picture: Path) -> PreparedPicture:
        called = str(original_paths.get(picture, picture))
        pixels = reader.read(picture, called, checks.max_pixels)
        if reader.pixels == RGB8:
            pixels = gray_to_rgb(pixels)
        pixels = downscale(crop_to_multiple(pixels, shrinks[picture]), shrinks[picture])
        smallest = 2 * max(scales) - 1 if dense else max(scales)
        _check_side(called, pixels, max(checks.min_side, smallest))
        versions = [low_resolution(picture, pixels, scale) for scale in scales]
        if dense:
            versions += [dense_bicubic_lr(pixels, scale) for scale in scales]
        return PreparedPicture.of(picture.name, "train", pixels, versions)

    pictures, shrinks = _pictures_to_read(parts, name)
    dataset = PreparedDataset(folder, name, list(scales), [], {}, None, reader.pixels, dense)
    options = WriteOptions(dataset, checks.bad_images, original_paths, workers, progress)
    images, bad = write_pixels(pictures, prepare, options)
    dataset.images = _split_parts(images, parts, name)
    if degradation is not None:
        _degrade_validation(dataset, degradation)
    _set_range(dataset, reader)
    return write_index(dataset, bad, degradation)


def prepare_benchmark(
    pictures: Sequence[Path],
    folder: Path,
    *,
    name: str,
    reader: Reader | None = None,
    degradation: Degradation | None = None,
    scales: Sequence[int] = (),
    max_pixels: int = MAX_PIXELS,
    original_paths: Mapping[Path, Path] | None = None,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> PreparedDataset:
    """Prepare the originals of a benchmark; gray ones stay gray, because protocols differ on them.

    The protocol makes the low resolution later, unless it is degraded. No picture is left out:
    without one of its pictures a benchmark would be another one.

    Args:
        pictures: the files, in the order of the dataset.
        folder: folder of the dataset.
        name: name of the benchmark.
        reader: reads the pictures; by default 8-bit RGB and gray.
        degradation: makes the low resolution of all pictures; None for none.
        scales: scales of the degraded versions; none without a degradation.
        max_pixels: a picture with more pixels by its header is refused before it is decoded.
        original_paths: the user's file of each copied picture, for messages.
        workers: number of threads; by default the number of cores, at most 8.
        progress: shows the progress.

    Raises:
        DataError: if pictures are unusable (the message names all of them), or two names differ
            only in the suffix.
    """
    original_paths, reader = original_paths or {}, reader or PhotoReader()
    _check_stems(name, pictures, original_paths)

    def prepare(picture: Path) -> PreparedPicture:
        called = str(original_paths.get(picture, picture))
        pixels = reader.read(picture, called, max_pixels)
        versions = []
        if degradation is not None:
            _check_side(called, pixels, max(scales))
            versions = [degrade_picture(pixels, scale, degradation) for scale in scales]
        return PreparedPicture.of(picture.name, "test", pixels, versions)

    dataset = PreparedDataset(folder, name, list(scales), [], {}, None, reader.pixels)
    options = WriteOptions(dataset, "fail", original_paths, workers, progress)
    images, bad = write_pixels(pictures, prepare, options)
    dataset.images = list(images.values())
    return write_index(dataset, bad, degradation)


def _pictures_to_read(parts: Sequence[Part], name: str) -> tuple[list[Path], dict[Path, int]]:
    """Return the pictures of all parts, and by which factor each is downscaled first.

    Raises:
        DataError: if a part has fewer than two.
    """
    pictures: list[Path] = []
    shrinks: dict[Path, int] = {}
    for part in parts:
        _check_number(name, len(part.pictures), part)
        pictures += part.pictures
        shrinks |= {each: value_for(each.name, part.shrink, 1) for each in part.pictures}
    return pictures, shrinks


def _split_parts(
    images: Mapping[Path, PackedImage], parts: Sequence[Part], name: str
) -> list[PackedImage]:
    """Return the pictures that were written, each for training or validation."""
    return [
        image
        for part in parts
        for image in _split([images[path] for path in part.pictures if path in images], part, name)
    ]


def _split(images: Sequence[PackedImage], part: Part, name: str) -> list[PackedImage]:
    """Return the pictures of a part, each for training or validation."""
    _check_number(name, len(images), part, " that can be used")
    if isinstance(part.validation, str):
        chosen = {image.sha256 for image in images if image.name == part.validation}
    else:
        number = min(ceil(part.validation * len(images)), len(images) - 1)
        chosen = set(sorted(image.sha256 for image in images)[:number])
    return [
        replace(image, split="validation" if image.sha256 in chosen else "train", part=part.name)
        for image in images
    ]


def _set_range(dataset: PreparedDataset, reader: Reader) -> None:
    """Choose the value range of a data set by its percentiles, if the reader asks for it."""
    if reader.percentiles is not None:
        limits = percentile_range(dataset, reader.percentiles, per_band=reader.per_band)
        dataset.pixels = replace(dataset.pixels, value_range=limits, stored_range=limits)


def _degrade_validation(dataset: PreparedDataset, degradation: Degradation) -> None:
    """Replace the low resolution of the validation pictures in the pixel files."""
    for scale in dataset.scales:
        path = pixel_file(dataset.folder, scale)
        with path.open("r+b") as file, naming_file(dataset.folder):
            for number, image in enumerate(dataset.images):
                if image.split == "validation":
                    lr = degrade_picture(dataset.hr(number), scale, degradation)
                    file.write(lr.tobytes())
                else:
                    file.seek(prod(image.shape(scale)), os.SEEK_CUR)
            file.flush()
            os.fsync(file.fileno())


def _check_side(called: str, pixels: NDArray[Any], smallest: int) -> None:
    height, width, _ = pixels.shape
    if min(height, width) < smallest:
        raise ImageError(
            f"{called}: {width} x {height} pixels, but no side may be below {smallest}"
        )


def _check_stems(name: str, pictures: Sequence[Path], original_paths: Mapping[Path, Path]) -> None:
    """Raise DataError if two stems are equal, because results are named by them."""
    found: dict[str, Path] = {}
    for picture in pictures:
        own = original_paths.get(picture, picture)
        if picture.stem in found:
            raise DataError(
                f"the benchmark {name} has more than one picture called {picture.stem}:"
                f" {found[picture.stem]} and {own}; rename one of them"
            )
        found[picture.stem] = own


def _check_number(name: str, number: int, part: Part, which: str = "") -> None:
    if number < 2:
        pictures = "picture" if number == 1 else "pictures"
        where = f" in the part {part.name}" if part.name not in ("", name) else ""
        raise DataError(
            f"the data set {name} has {number} {pictures}{which}{where}; at least two are needed,"
            " one to train on and one to validate with"
        )
