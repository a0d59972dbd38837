"""Prepared datasets: pictures as raw uint8 or uint16, which are read through a memory map.

A dataset is a folder. ``hr.u8`` has the pixels of all pictures one after another, each in the order
(height, width, channel). ``lr_x2.u8`` and so on have their low-resolution versions. Values of 16
bits are little-endian, in ``hr.u16`` and so on. ``index.json`` lists the pictures, and says what
the values are if they are not 8-bit RGB. It is written last, so that a folder without it is not a
dataset.
"""

import json
from dataclasses import dataclass, field
from itertools import accumulate
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from drnsr.errors import UserError
from drnsr.hashing import file_sha256, sha256_of
from drnsr.images.pixel_format import RGB8, Depth, PixelFormat, described_pixels

Split = Literal["train", "validation", "test"]


class DataError(UserError):
    """Pictures that cannot be used as training or test data."""


@dataclass(frozen=True)
class PackedImage:
    """A picture of a dataset.

    Attributes:
        name: of its file.
        sha256: of its pixels, not of its file.
        height: in pixels.
        width: in pixels.
        channels: 1 or 3 in 8-bit RGB data sets, and otherwise one for each band.
        split: what it is for.
        part: name of the part of the data set.
    """

    name: str
    sha256: str
    height: int
    width: int
    channels: int
    split: Split
    part: str = ""

    def shape(self, scale: int) -> tuple[int, int, int]:
        """Return (height, width, channels) of the picture at ``scale`` (1 is the original)."""
        return self.height // scale, self.width // scale, self.channels


@dataclass
class PreparedDataset:
    """An opened dataset.

    Attributes:
        folder: its folder.
        name: name of the data set.
        scales: the scales of the low-resolution versions.
        images: the pictures, in the order of the pixel files.
        files: the sha256 of each pixel file.
        degradation: the parameters that made the LR of the validation pictures, or of all pictures
            of a benchmark; None for bicubic, or for a benchmark without LR.
        pixels: what the channels and values are.
    """

    folder: Path
    name: str
    scales: list[int]
    images: list[PackedImage]
    files: dict[str, str]
    degradation: dict[str, Any] | None = None
    pixels: PixelFormat = RGB8
    _pixels: dict[int, list[NDArray[Any]]] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, folder: Path) -> "PreparedDataset":
        """Open a dataset.

        Raises:
            DataError: if there is none in ``folder``, or one by an older version.
        """
        index = folder / "index.json"
        if not index.is_file():
            raise DataError(f"{folder}: no prepared data here; run `dvc repro prepare` first")
        content = json.loads(index.read_text(encoding="utf-8"))
        if "files" not in content:
            raise DataError(
                f"{folder}: prepared by an older version of drnsr; run `dvc repro prepare`"
            )
        images = [PackedImage(**image) for image in content["images"]]
        degradation = content.get("degradation")
        return cls(
            folder,
            content["name"],
            content["scales"],
            images,
            content["files"],
            degradation,
            described_pixels(content),
        )

    def verify(self) -> None:
        """Compare the pixel files with their hashes in the index.

        Raises:
            DataError: if one was changed or truncated.
        """
        for name, sha256 in self.files.items():
            path = self.folder / name
            if not path.is_file() or file_sha256(path) != sha256:
                raise DataError(
                    f"{path}: missing, changed or truncated since it was prepared; run"
                    " `dvc repro prepare` to make it again"
                )

    @property
    def fingerprint(self) -> str:
        """The sha256 of the index, which has the hash of every picture."""
        return sha256_of([(self.folder / "index.json").read_bytes()])

    def discard(self) -> None:
        """Remove the index, so that the folder is not a dataset any more."""
        (self.folder / "index.json").unlink()

    def hr(self, number: int) -> NDArray[Any]:
        """Return the original picture, (H, W, C) of ``pixels.dtype``, as a view of the file."""
        return self._view(number, scale=1)

    def lr(self, number: int, scale: int) -> NDArray[Any]:
        """Return the low-resolution picture, (H // scale, W // scale, C), as a view of the file."""
        return self._view(number, scale)

    def _view(self, number: int, scale: int) -> NDArray[Any]:
        if scale not in self._pixels:
            # A plain array: slicing a memmap object takes several times as long.
            file, dtype = pixel_file(self.folder, scale, self.pixels.depth), self.pixels.dtype
            pixels = np.asarray(np.memmap(file, dtype.newbyteorder("<"), mode="r"))
            sizes = [prod(image.shape(scale)) for image in self.images]
            ends = [0, *accumulate(sizes)]
            self._pixels[scale] = [
                pixels[start:end].reshape(image.shape(scale))
                for image, start, end in zip(self.images, ends, ends[1:], strict=False)
            ]
        return self._pixels[scale][number]


def pixel_file(folder: Path, scale: int, depth: Depth = 8) -> Path:
    """Return the path of the pixels at ``scale`` (1 is the originals)."""
    return folder / f"{'hr' if scale == 1 else f'lr_x{scale}'}.u{depth}"
