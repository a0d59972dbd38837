"""From picture files to a dataset: each decoded once, checked, shrunk, and written in order.

The work is shared out over the cores; the bytes of a dataset depend on the pictures alone.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from drnsr.atomic import naming_file, write_text
from drnsr.data.parallel import Progress, map_in_order, unseen
from drnsr.data.prepared import DataError, PackedImage, PreparedDataset, Split, pixel_file
from drnsr.hashing import file_sha256, sha256_of
from drnsr.images.codec import MAX_PIXELS
from drnsr.images.colour import gray_to_rgb
from drnsr.images.errors import ImageError
from drnsr.images.files import read_image
from drnsr.images.resize import crop_to_multiple, downscale

log = logging.getLogger("drnsr")

LowResolution = Callable[[Path, NDArray[np.uint8], int], NDArray[np.uint8]]
"""From a picture's file, its pixels (H, W, 3) and a scale to (H // scale, W // scale, 3); an
ImageError says why there is none."""


@dataclass(frozen=True)
class Checks:
    """What a training picture must be, and what becomes of one that is not.

    Attributes:
        bad_images: "fail" names all that cannot be used and datasets none; "skip" leaves them out.
        max_pixels: a picture whose header promises more is refused before it is decoded.
        min_side: pixels that the shorter side must have; the largest scale at least.
    """

    bad_images: Literal["fail", "skip"] = "fail"
    max_pixels: int = MAX_PIXELS
    min_side: int = 1


def shrunk(picture: Path, pixels: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """The :data:`LowResolution` of published results: MATLAB's bicubic."""
    return downscale(crop_to_multiple(pixels, scale), scale)


def prepare_training_set(
    pictures: Sequence[Path],
    folder: Path,
    *,
    name: str,
    scales: Sequence[int],
    validation_fraction: float,
    validation: str | None = None,
    low_resolution: LowResolution = shrunk,
    checks: Checks | None = None,
    users_own: Mapping[Path, Path] | None = None,
    workers: int | None = None,
    progress: Progress = unseen,
) -> PreparedDataset:
    """Prepare RGB pictures and their low-resolution versions, for training and validation.

    The validation pictures are those with the smallest content hashes: a choice at random that
    depends on nothing but the pictures. Or it is the one picture that ``validation`` names.

    Args:
        pictures: their files, in the order of the dataset.
        folder: of the dataset.
        name: of the data set.
        scales: of the low-resolution versions.
        validation_fraction: of the pictures, rounded up; one is always left to train on.
        validation: name of the picture to validate with, if it is not to be chosen at random.
        low_resolution: where the low-resolution versions come from.
        checks: what the pictures must be; those of ``Checks()`` by default.
        users_own: the user's files of pictures that are copies of them; messages name those.
        workers: threads; by default as many as there are cores, 8 at most.
        progress: shows the progress.

    Raises:
        DataError: there are fewer than two pictures, or some cannot be used (all such are named)
            and may not be left out.
    """
    checks = checks or Checks()
    users_own = users_own or {}

    def prepare(picture: Path) -> _Prepared:
        called = str(users_own.get(picture, picture))
        pixels = gray_to_rgb(read_image(picture, max_pixels=checks.max_pixels, called=called))
        _check_side(called, pixels, max(checks.min_side, *scales))
        versions = {scale: low_resolution(picture, pixels, scale) for scale in scales}
        return _Prepared(_describe(picture.name, pixels, "train"), {1: pixels, **versions})

    _check_number(name, len(pictures), "")
    writing = _Writing(folder, name, scales, checks.bad_images, users_own, workers, progress)
    images, bad = _write_pixels(pictures, prepare, writing)
    _check_number(name, len(images), " that can be used")
    number = min(ceil(validation_fraction * len(images)), len(images) - 1)
    chosen = set(sorted(image.sha256 for image in images)[:number])
    if validation is not None:
        chosen = {image.sha256 for image in images if image.name == validation}
    split = [
        replace(image, split="validation") if image.sha256 in chosen else image for image in images
    ]
    return _write_index(folder, name, list(scales), split, bad)


def prepare_benchmark(
    pictures: Sequence[Path],
    folder: Path,
    *,
    name: str,
    max_pixels: int = MAX_PIXELS,
    users_own: Mapping[Path, Path] | None = None,
    workers: int | None = None,
    progress: Progress = unseen,
) -> PreparedDataset:
    """Prepare the originals of a benchmark; gray ones stay gray, since protocols differ on them.

    Low resolution is not made here: how to make it is a matter of the protocol. No picture is ever
    left out: a benchmark without one of its pictures is another benchmark.

    Args:
        pictures: their files, in the order of the dataset.
        folder: of the dataset.
        name: of the benchmark.
        max_pixels: a picture whose header promises more is refused before it is decoded.
        users_own: the user's files of pictures that are copies of them; messages name those.
        workers: threads; by default as many as there are cores, 8 at most.
        progress: shows the progress.

    Raises:
        DataError: a picture cannot be used (all such are named), or two differ in nothing but the
            suffix of their names.
    """
    users_own = users_own or {}
    _check_stems(name, pictures, users_own)

    def prepare(picture: Path) -> _Prepared:
        called = str(users_own.get(picture, picture))
        pixels = read_image(picture, max_pixels=max_pixels, called=called)
        return _Prepared(_describe(picture.name, pixels, "test"), {1: pixels})

    writing = _Writing(folder, name, (), "fail", users_own, workers, progress)
    images, bad = _write_pixels(pictures, prepare, writing)
    return _write_index(folder, name, [], images, bad)


@dataclass(frozen=True)
class _Prepared:
    """A checked picture: its entry in the index, and its pixels by scale (1 is the original)."""

    image: PackedImage
    pixels: dict[int, NDArray[np.uint8]]


@dataclass(frozen=True)
class _Writing:
    """Where and how pixel files are written."""

    folder: Path
    name: str
    scales: Sequence[int]
    bad_images: Literal["fail", "skip"]
    users_own: Mapping[Path, Path]
    workers: int | None
    progress: Progress


def _write_pixels(
    pictures: Sequence[Path], prepare: Callable[[Path], _Prepared], writing: _Writing
) -> tuple[list[PackedImage], dict[str, str]]:
    """Write the pixel files; on failure, none of them is left.

    Returns:
        The pictures in them, and those that were left out, by name, with the reason.
    """
    folder = writing.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.json").unlink(missing_ok=True)  # an older dataset is none from here on

    def attempt(picture: Path) -> _Prepared | ImageError:
        try:
            return prepare(picture)
        except ImageError as error:
            return error

    with ExitStack() as stack, naming_file(folder):
        # Written in sequence, not through a memory map: there a full disk kills the process with
        # SIGBUS, here it is an OSError.
        files = {
            scale: stack.enter_context(_kept_on_success(pixel_file(folder, scale)))
            for scale in (1, *writing.scales)
        }
        images: dict[str, PackedImage] = {}  # by the hash of their pixels
        bad: dict[Path, str] = {}
        results = map_in_order(attempt, pictures, workers=writing.workers)
        shown = writing.progress(results, f"preparing {writing.name}", len(pictures))
        for picture, result in zip(pictures, shown, strict=True):
            if isinstance(result, ImageError):
                called = writing.users_own.get(picture, picture)
                bad[picture] = str(result).removeprefix(f"{called}: ")
            elif twin := images.get(result.image.sha256):
                bad[picture] = f"the same picture as {twin.name}"
            else:
                images[result.image.sha256] = result.image
                for scale, file in files.items():
                    file.write(result.pixels[scale].tobytes())
        told = {writing.users_own.get(path, path): reason for path, reason in bad.items()}
        _tell(told, len(pictures), writing.bad_images)
    return list(images.values()), {path.name: reason for path, reason in bad.items()}


def _tell(bad: dict[Path, str], total: int, bad_images: Literal["fail", "skip"]) -> None:
    """Name every picture that cannot be used.

    Raises:
        DataError: where none may be left out.
    """
    if bad and bad_images == "fail":
        raise DataError(
            f"{len(bad)} of {total} pictures cannot be used; repair or remove them: "
            + "; ".join(f"{path}: {reason}" for path, reason in bad.items())
        )
    for path, reason in bad.items():
        log.warning("left out: %s: %s", path, reason)


def _check_side(called: str, pixels: NDArray[np.uint8], smallest: int) -> None:
    height, width, _ = pixels.shape
    if min(height, width) < smallest:
        raise ImageError(
            f"{called}: {width} x {height} pixels, and no side may be below {smallest}"
        )


def _check_stems(name: str, pictures: Sequence[Path], users_own: Mapping[Path, Path]) -> None:
    """Results are named by the stems of the pictures."""
    found: dict[str, Path] = {}
    for picture in pictures:
        own = users_own.get(picture, picture)
        if picture.stem in found:
            raise DataError(
                f"the benchmark {name} has more than one picture called {picture.stem}:"
                f" {found[picture.stem]} and {own}; rename one of them"
            )
        found[picture.stem] = own


def _check_number(name: str, number: int, which: str) -> None:
    if number < 2:
        pictures = "picture" if number == 1 else "pictures"
        raise DataError(
            f"the data set {name} has {number} {pictures}{which}; at least two are needed, one to"
            " train on and one to validate with"
        )


@contextmanager
def _kept_on_success(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # the index will promise that it is whole
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _describe(name: str, pixels: NDArray[np.uint8], split: Split) -> PackedImage:
    height, width, channels = pixels.shape
    digest = sha256_of([repr(pixels.shape).encode(), pixels.tobytes()])
    return PackedImage(name, digest, height, width, channels, split)


def _write_index(
    folder: Path, name: str, scales: list[int], images: list[PackedImage], bad: dict[str, str]
) -> PreparedDataset:
    files = [pixel_file(folder, scale) for scale in (1, *scales)]
    content = {
        "name": name,
        "scales": scales,
        "images": [asdict(image) for image in images],
        "files": {path.name: file_sha256(path) for path in files},
        "left_out": bad,
    }
    write_text(folder / "index.json", json.dumps(content, indent=1) + "\n")
    return PreparedDataset.open(folder)
