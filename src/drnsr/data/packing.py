"""Prepared pictures: decoded once and packed as raw uint8, to be read through a memory map.

A pack is a folder: ``hr.u8`` holds the pixels of all pictures one after another, each in the order
(height, width, channel); ``lr_x2.u8`` and the like hold their low-resolution versions; and
``index.json`` says what stands where. The index is written last, so that a pack without it is no
pack.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from math import ceil, prod
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from drnsr.atomic import naming_file, write_text
from drnsr.errors import UserError
from drnsr.hashing import sha256_of
from drnsr.imaging.colour import gray_to_rgb
from drnsr.imaging.files import ImageError, read_image
from drnsr.imaging.resize import crop_to_multiple, downscale

Split = Literal["train", "validation", "test"]
Progress = Callable[[Iterable[Path]], Iterable[Path]]


class DataError(UserError):
    """Pictures that cannot serve as training or test data."""


@dataclass(frozen=True)
class PackedImage:
    """One picture of a pack; ``sha256`` is of its pixels, not of the file it came from."""

    name: str
    sha256: str
    height: int
    width: int
    channels: int
    split: Split

    def shape(self, scale: int) -> tuple[int, int, int]:
        """(height, width, channels) of the picture shrunk by ``scale`` (1 is the original)."""
        return self.height // scale, self.width // scale, self.channels


@dataclass
class Pack:
    """An opened pack.

    Attributes:
        name: the data set's name.
        scales: for which a low-resolution version stands in the pack.
        images: in the order of the pixel files.
    """

    folder: Path
    name: str
    scales: list[int]
    images: list[PackedImage]
    _pixels: dict[int, list[NDArray[np.uint8]]] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, folder: Path) -> "Pack":
        """Open a pack.

        Raises:
            DataError: there is none at ``folder``.
        """
        index = folder / "index.json"
        if not index.is_file():
            raise DataError(f"{folder}: no prepared data here; run `dvc repro prepare` first")
        content = json.loads(index.read_text(encoding="utf-8"))
        images = [PackedImage(**image) for image in content["images"]]
        return cls(folder, content["name"], content["scales"], images)

    @property
    def fingerprint(self) -> str:
        """The sha256 of the index, which carries the hash of every picture."""
        return sha256_of([(self.folder / "index.json").read_bytes()])

    def discard(self) -> None:
        """Make it no pack any more: its index is removed."""
        (self.folder / "index.json").unlink()

    def hr(self, number: int) -> NDArray[np.uint8]:
        """The original picture, (H, W, C), as a view on the file."""
        return self._view(number, scale=1)

    def lr(self, number: int, scale: int) -> NDArray[np.uint8]:
        """The picture shrunk by ``scale``, (H // scale, W // scale, C), as a view on the file."""
        return self._view(number, scale)

    def _view(self, number: int, scale: int) -> NDArray[np.uint8]:
        if scale not in self._pixels:
            pixels = np.memmap(_pixel_file(self.folder, scale), np.uint8, mode="r")
            sizes = [prod(image.shape(scale)) for image in self.images]
            ends = [0, *accumulate(sizes)]
            self._pixels[scale] = [
                pixels[start:end].reshape(image.shape(scale))
                for image, start, end in zip(self.images, ends, ends[1:], strict=False)
            ]
        return self._pixels[scale][number]


def pack_training_set(
    pictures: Sequence[Path],
    folder: Path,
    *,
    name: str,
    scales: Sequence[int],
    validation_fraction: float,
    progress: Progress = iter,
) -> Pack:
    """Pack pictures as RGB, with their low-resolution versions, split in training and validation.

    The validation pictures are those with the smallest content hashes: a choice at random that
    depends on nothing but the pictures.

    Raises:
        DataError: there are fewer than two pictures, one cannot be used (all such are named), or
            two are the same.
    """
    if len(pictures) < 2:
        raise DataError(
            f"the data set {name} has {len(pictures)} picture; at least two are needed,"
            " one to train on and one to validate with"
        )
    images = _write_pixels(pictures, folder, scales, split="train", rgb=True, progress=progress)
    number = min(ceil(validation_fraction * len(images)), len(images) - 1)
    validation = set(sorted(image.sha256 for image in images)[:number])
    split = [
        replace(image, split="validation") if image.sha256 in validation else image
        for image in images
    ]
    return _write_index(folder, name, list(scales), split)


def pack_benchmark(
    pictures: Sequence[Path], folder: Path, *, name: str, progress: Progress = iter
) -> Pack:
    """Pack the originals of a benchmark; gray pictures stay gray, since protocols differ on them.

    Low resolution is not made here: how to make it is a matter of the protocol.

    Raises:
        DataError: a picture cannot be used (all such are named), or two differ in nothing but the
            suffix of their names.
    """
    stems = [picture.stem for picture in pictures]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise DataError(f"the benchmark {name} has more than one picture called {twice[0]}")
    images = _write_pixels(pictures, folder, (), split="test", rgb=False, progress=progress)
    return _write_index(folder, name, [], images)


def _write_pixels(
    pictures: Sequence[Path],
    folder: Path,
    scales: Sequence[int],
    *,
    split: Split,
    rgb: bool,
    progress: Progress,
) -> list[PackedImage]:
    """Write the pixel files; on failure, none of them is left."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.json").unlink(missing_ok=True)  # an older pack is none from here on
    with ExitStack() as stack, naming_file(folder):
        # Written in sequence, not through a memory map: there a full disk kills the process with
        # SIGBUS, here it is an OSError.
        files = {
            scale: stack.enter_context(_kept_on_success(_pixel_file(folder, scale)))
            for scale in (1, *scales)
        }
        images: list[PackedImage] = []
        bad: list[str] = []
        for picture in progress(pictures):
            try:
                pixels = read_image(picture)
            except ImageError as error:
                bad.append(str(error))
                continue
            pixels = gray_to_rgb(pixels) if rgb else pixels
            images.append(_describe(picture.name, pixels, split))
            if twin := _same_pixels(images):
                raise DataError(f"{picture} is the same picture as {twin}; remove one of them")
            files[1].write(pixels.tobytes())
            for scale in scales:
                files[scale].write(downscale(crop_to_multiple(pixels, scale), scale).tobytes())
        if bad:
            raise DataError(
                f"{len(bad)} of {len(pictures)} pictures cannot be used; repair or remove them: "
                + "; ".join(bad)
            )
        return images


def _same_pixels(images: Sequence[PackedImage]) -> str | None:
    """The name of an earlier picture with the pixels of the last one."""
    *earlier, last = images
    return next((image.name for image in earlier if image.sha256 == last.sha256), None)


@contextmanager
def _kept_on_success(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("wb") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _describe(name: str, pixels: NDArray[np.uint8], split: Split) -> PackedImage:
    height, width, channels = pixels.shape
    digest = sha256_of([repr(pixels.shape).encode(), pixels.tobytes()])
    return PackedImage(name, digest, height, width, channels, split)


def _write_index(folder: Path, name: str, scales: list[int], images: list[PackedImage]) -> Pack:
    content = {"name": name, "scales": scales, "images": [asdict(image) for image in images]}
    write_text(folder / "index.json", json.dumps(content, indent=1) + "\n")
    return Pack.open(folder)


def _pixel_file(folder: Path, scale: int) -> Path:
    return folder / ("hr.u8" if scale == 1 else f"lr_x{scale}.u8")
