"""Preparing data sets: pictures are decoded once, checked, downscaled, and written in order.

The work runs on all cores; the bytes of a dataset depend on the pictures alone.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from math import ceil, prod
from pathlib import Path
from typing import Any, BinaryIO, Literal

from numpy.typing import NDArray

from drnsr.atomic import naming_file, write_text
from drnsr.data.degraded import degrade_picture
from drnsr.data.parallel import Progress, map_in_order, no_progress
from drnsr.data.patterns import value_for
from drnsr.data.prepared import DataError, PackedImage, PreparedDataset, Split, pixel_file
from drnsr.data.readers import PhotoReader, Reader
from drnsr.data.training_range import percentile_range
from drnsr.degradation.parameters import Degradation
from drnsr.hashing import file_sha256, sha256_of
from drnsr.images.codec import MAX_PIXELS
from drnsr.images.colour import gray_to_rgb
from drnsr.images.errors import ImageError
from drnsr.images.pixel_format import RGB8, Depth
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


def prepare_training_set(
    parts: Sequence[Part],
    folder: Path,
    *,
    name: str,
    scales: Sequence[int],
    reader: Reader | None = None,
    low_resolution: LowResolution = bicubic_lr,
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

    def prepare(picture: Path) -> _Prepared:
        called = str(original_paths.get(picture, picture))
        pixels = reader.read(picture, called, checks.max_pixels)
        if reader.pixels == RGB8:
            pixels = gray_to_rgb(pixels)
        pixels = downscale(crop_to_multiple(pixels, shrinks[picture]), shrinks[picture])
        _check_side(called, pixels, max(checks.min_side, *scales))
        versions = {scale: low_resolution(picture, pixels, scale) for scale in scales}
        return _Prepared(_describe(picture.name, pixels, "train"), {1: pixels, **versions})

    for part in parts:
        _check_number(name, len(part.pictures), part)
    pictures = [picture for part in parts for picture in part.pictures]
    shrinks = {
        picture: value_for(picture.name, part.shrink, 1)
        for part in parts
        for picture in part.pictures
    }
    options = _WriteOptions(
        *(folder, name, scales, reader.pixels.depth),
        *(checks.bad_images, original_paths, workers, progress),
    )
    images, bad = _write_pixels(pictures, prepare, options)
    split = [
        image
        for part in parts
        for image in _split([images[path] for path in part.pictures if path in images], part, name)
    ]
    if degradation is not None:
        _degrade_validation(folder, split, scales, degradation)
    dataset = PreparedDataset(folder, name, list(scales), split, {}, None, reader.pixels)
    if reader.percentiles is not None:
        limits = percentile_range(dataset, reader.percentiles, per_band=reader.per_band)
        dataset.pixels = replace(dataset.pixels, value_range=limits, stored_range=limits)
    return _write_index(dataset, bad, degradation)


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

    def prepare(picture: Path) -> _Prepared:
        called = str(original_paths.get(picture, picture))
        pixels = reader.read(picture, called, max_pixels)
        versions = {}
        if degradation is not None:
            _check_side(called, pixels, max(scales))
            versions = {scale: degrade_picture(pixels, scale, degradation) for scale in scales}
        return _Prepared(_describe(picture.name, pixels, "test"), {1: pixels, **versions})

    options = _WriteOptions(
        folder, name, scales, reader.pixels.depth, "fail", original_paths, workers, progress
    )
    images, bad = _write_pixels(pictures, prepare, options)
    test = list(images.values())
    dataset = PreparedDataset(folder, name, list(scales), test, {}, None, reader.pixels)
    return _write_index(dataset, bad, degradation)


@dataclass(frozen=True)
class _Prepared:
    """A checked picture: its entry in the index, and its pixels by scale (1 is the original)."""

    image: PackedImage
    pixels: dict[int, NDArray[Any]]


@dataclass(frozen=True)
class _WriteOptions:
    """How pixel files are written."""

    folder: Path
    name: str
    scales: Sequence[int]
    depth: Depth
    bad_images: Literal["fail", "skip"]
    original_paths: Mapping[Path, Path]
    workers: int | None
    progress: Progress


def _write_pixels(
    pictures: Sequence[Path], prepare: Callable[[Path], _Prepared], options: _WriteOptions
) -> tuple[dict[Path, PackedImage], dict[str, str]]:
    """Write the pixel files; on failure, all of them are removed.

    Returns:
        The pictures in them, by file, and the reasons of those that were left out, by name.
    """
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.json").unlink(missing_ok=True)  # from here on the older dataset is invalid

    def attempt(picture: Path) -> _Prepared | ImageError:
        try:
            return prepare(picture)
        except ImageError as error:
            return error

    with ExitStack() as stack, naming_file(folder):
        # Not through a memory map, where a full disk would kill the process with SIGBUS. Here it
        # raises OSError.
        files = {
            scale: stack.enter_context(
                _removed_on_failure(pixel_file(folder, scale, options.depth))
            )
            for scale in (1, *options.scales)
        }
        images: dict[Path, PackedImage] = {}
        names: dict[str, str] = {}  # by the hash of their pixels
        bad: dict[Path, str] = {}
        results = map_in_order(attempt, pictures, workers=options.workers)
        shown = options.progress(results, f"preparing {options.name}", len(pictures))
        for picture, result in zip(pictures, shown, strict=True):
            if isinstance(result, ImageError):
                called = options.original_paths.get(picture, picture)
                bad[picture] = str(result).removeprefix(f"{called}: ")
            elif twin := names.get(result.image.sha256):
                bad[picture] = f"the same picture as {twin}"
            else:
                images[picture] = result.image
                names[result.image.sha256] = result.image.name
                for scale, file in files.items():
                    file.write(_to_bytes(result.pixels[scale]))
        by_original = {
            options.original_paths.get(path, path): reason for path, reason in bad.items()
        }
        _report_bad(by_original, len(pictures), options.bad_images)
    return images, {path.name: reason for path, reason in bad.items()}


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


def _degrade_validation(
    folder: Path, images: list[PackedImage], scales: Sequence[int], degradation: Degradation
) -> None:
    """Replace the low resolution of the validation pictures in the pixel files."""
    dataset = PreparedDataset(folder, "", list(scales), images, {})
    for scale in scales:
        with pixel_file(folder, scale).open("r+b") as file, naming_file(folder):
            for number, image in enumerate(images):
                if image.split == "validation":
                    lr = degrade_picture(dataset.hr(number), scale, degradation)
                    file.write(lr.tobytes())
                else:
                    file.seek(prod(image.shape(scale)), os.SEEK_CUR)
            file.flush()
            os.fsync(file.fileno())


def _report_bad(bad: dict[Path, str], total: int, bad_images: Literal["fail", "skip"]) -> None:
    """Log every unusable picture.

    Raises:
        DataError: if they must not be left out.
    """
    if bad and bad_images == "fail":
        raise DataError(
            f"{len(bad)} of {total} pictures cannot be used; repair or remove them: "
            + "; ".join(f"{path}: {reason}" for path, reason in bad.items())
        )
    for path, reason in bad.items():
        log.warning("left out: %s: %s", path, reason)


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


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # once the index exists, the file counts as complete
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _to_bytes(pixels: NDArray[Any]) -> bytes:
    return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()


def _describe(name: str, pixels: NDArray[Any], split: Split) -> PackedImage:
    height, width, channels = pixels.shape
    digest = sha256_of([repr(pixels.shape).encode(), _to_bytes(pixels)])
    return PackedImage(name, digest, height, width, channels, split)


def _write_index(
    dataset: PreparedDataset, bad: dict[str, str], degradation: Degradation | None
) -> PreparedDataset:
    """Write the index of a data set whose pixels are written, and open it."""
    files = [
        pixel_file(dataset.folder, scale, dataset.pixels.depth) for scale in (1, *dataset.scales)
    ]
    content: dict[str, Any] = {
        "name": dataset.name,
        "scales": dataset.scales,
        "images": [asdict(image) for image in dataset.images],
        "files": {path.name: file_sha256(path) for path in files},
        "left_out": bad,
    }
    if degradation is not None:
        content["degradation"] = degradation.model_dump(mode="json")
    if dataset.pixels != RGB8:
        content["pixels"] = dataset.pixels.to_json()
    write_text(dataset.folder / "index.json", json.dumps(content, indent=1) + "\n")
    return PreparedDataset.open(dataset.folder)
