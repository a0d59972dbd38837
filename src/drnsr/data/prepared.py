"""Prepared pictures: decoded once and packed as raw uint8, to be read through a memory map.

A dataset is a folder: ``hr.u8`` holds the pixels of all pictures one after another, each in the
order (height, width, channel); ``lr_x2.u8`` and the like hold their low-resolution versions; and
``index.json`` says what stands where. The index is written last, so that a dataset without it is no
dataset.
"""

import json
from dataclasses import dataclass, field
from itertools import accumulate
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drnsr.errors import UserError
from drnsr.hashing import file_sha256, sha256_of

Split = Literal["train", "validation", "test"]


class DataError(UserError):
    """Pictures that cannot serve as training or test data."""


@dataclass(frozen=True)
class PackedImage:
    """One picture of a dataset; ``sha256`` is of its pixels, not of the file it came from."""

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
class PreparedDataset:
    """An opened dataset.

    Attributes:
        name: the data set's name.
        scales: for which a low-resolution version stands in the dataset.
        images: in the order of the pixel files.
        files: the sha256 of each pixel file.
    """

    folder: Path
    name: str
    scales: list[int]
    images: list[PackedImage]
    files: dict[str, str]
    _pixels: dict[int, list[NDArray[np.uint8]]] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, folder: Path) -> "PreparedDataset":
        """Open a dataset.

        Raises:
            DataError: there is none at ``folder``, or an older version's.
        """
        index = folder / "index.json"
        if not index.is_file():
            raise DataError(f"{folder}: no prepared data here; run `dvc repro prepare` first")
        content = json.loads(index.read_text(encoding="utf-8"))
        if "files" not in content:
            raise DataError(f"{folder}: by an older version of drnsr; run `dvc repro prepare`")
        images = [PackedImage(**image) for image in content["images"]]
        return cls(folder, content["name"], content["scales"], images, content["files"])

    def verify(self) -> None:
        """Compare the pixel files with the hashes that were written when they were made.

        Raises:
            DataError: one was changed or cut off since.
        """
        for name, sha256 in self.files.items():
            path = self.folder / name
            if not path.is_file() or file_sha256(path) != sha256:
                raise DataError(
                    f"{path}: missing, changed or cut off since it was prepared; run"
                    " `dvc repro prepare`, which makes it anew"
                )

    @property
    def fingerprint(self) -> str:
        """The sha256 of the index, which carries the hash of every picture."""
        return sha256_of([(self.folder / "index.json").read_bytes()])

    def discard(self) -> None:
        """Make it no dataset any more: its index is removed."""
        (self.folder / "index.json").unlink()

    def hr(self, number: int) -> NDArray[np.uint8]:
        """The original picture, (H, W, C), as a view on the file."""
        return self._view(number, scale=1)

    def lr(self, number: int, scale: int) -> NDArray[np.uint8]:
        """The picture shrunk by ``scale``, (H // scale, W // scale, C), as a view on the file."""
        return self._view(number, scale)

    def _view(self, number: int, scale: int) -> NDArray[np.uint8]:
        if scale not in self._pixels:
            # As a plain array: each slice of a memmap object costs several times as much.
            pixels = np.asarray(np.memmap(pixel_file(self.folder, scale), np.uint8, mode="r"))
            sizes = [prod(image.shape(scale)) for image in self.images]
            ends = [0, *accumulate(sizes)]
            self._pixels[scale] = [
                pixels[start:end].reshape(image.shape(scale))
                for image, start, end in zip(self.images, ends, ends[1:], strict=False)
            ]
        return self._pixels[scale][number]


def pixel_file(folder: Path, scale: int) -> Path:
    """Where the pixels of the pictures stand, shrunk by ``scale`` (1 is the originals)."""
    return folder / ("hr.u8" if scale == 1 else f"lr_x{scale}.u8")
