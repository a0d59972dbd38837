"""Prepared datasets: pictures as raw uint8 or uint16, which are read through a memory map.

A dataset is a folder. ``hr.u8`` has the pixels of all pictures one after another, each in the order
(height, width, channel). ``lr_x2.u8`` and so on have their low-resolution versions. Values of 16
bits are little-endian, in ``hr.u16`` and so on. ``dense_x2.u8`` and so on, which not every dataset
has, have an LR pixel for each HR pixel: :meth:`PreparedDataset.dense_lr`. ``index.json`` lists the
pictures, and says what the values are if they are not 8-bit RGB. It is written last, so that a
folder without it is not a dataset.
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
        is_dense: whether it has an LR pixel for each HR pixel.
    """

    folder: Path
    name: str
    scales: list[int]
    images: list[PackedImage]
    files: dict[str, str]
    degradation: dict[str, Any] | None = None
    pixels: PixelFormat = RGB8
    is_dense: bool = False
    _pixels: dict[tuple[int, bool], list[NDArray[Any]]] = field(default_factory=dict, repr=False)

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
            content.get("dense", False),
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

    @property
    def pixel_files(self) -> list[Path]:
        """The paths of its pixels: the originals, and the low resolution at each scale."""
        depth = self.pixels.depth
        files = [pixel_file(self.folder, scale, depth) for scale in (1, *self.scales)]
        dense = [pixel_file(self.folder, scale, depth, dense=True) for scale in self.scales]
        return [*files, *dense] if self.is_dense else files

    def discard(self) -> None:
        """Remove the index, so that the folder is not a dataset any more."""
        (self.folder / "index.json").unlink()

    def hr(self, number: int) -> NDArray[Any]:
        """Return the original picture, (H, W, C) of ``pixels.dtype``, as a view of the file."""
        return self._view(number, scale=1)

    def lr(self, number: int, scale: int) -> NDArray[Any]:
        """Return the low-resolution picture, (H // scale, W // scale, C), as a view of the file."""
        return self._view(number, scale)

    def dense_lr(self, number: int, scale: int) -> NDArray[Any]:
        """Return the LR pixels of all shifts of a picture, (H, W, C), as a view of the file.

        From row r and column c, every ``scale``-th pixel is the low resolution of the part of the
        picture below and right of its row r % scale and its column c % scale, from there on. The
        last rows and columns, to which no whole LR pixel belongs, are 0.
        """
        return self._view(number, scale, dense=True)

    def _view(self, number: int, scale: int, *, dense: bool = False) -> NDArray[Any]:
        if (scale, dense) not in self._pixels:
            # A plain array: slicing a memmap object takes several times as long.
            file = pixel_file(self.folder, scale, self.pixels.depth, dense=dense)
            dtype = self.pixels.dtype.newbyteorder("<")
            pixels = np.asarray(np.memmap(file, dtype, mode="r"))
            shapes = [image.shape(1 if dense else scale) for image in self.images]
            ends = [0, *accumulate(prod(shape) for shape in shapes)]
            self._pixels[scale, dense] = [
                pixels[start:end].reshape(shape)
                for shape, start, end in zip(shapes, ends, ends[1:], strict=False)
            ]
        return self._pixels[scale, dense][number]


def pixel_file(folder: Path, scale: int, depth: Depth = 8, *, dense: bool = False) -> Path:
    """Return the path of the pixels at ``scale`` (1 is the originals), or of the dense ones."""
    stem = f"dense_x{scale}" if dense else "hr" if scale == 1 else f"lr_x{scale}"
    return folder / f"{stem}.u{depth}"
