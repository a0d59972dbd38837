"""Pixels of large pictures in temporary files, so that memory does not grow with the picture."""

import mmap
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drnsr.images.picture import BAND_PIXELS, Picture, Pixels, from_array, iter_rows

HELD_BYTES = 32 << 20
"""The largest picture that stays in memory."""


class PixelFile:
    """Bands of pixels in a temporary file without a name, mapped into memory.

    Mapped pages count as memory of the process until :meth:`release` is called. The file is
    removed with the object, or when the process ends.

    Args:
        bands: (n, W, C) from top to bottom, of one data type.
        folder: where the file is made; by default the system's folder of temporary files.

    Attributes:
        content: the bytes of all bands, (N,) uint8.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """

    def __init__(self, bands: Iterable[Pixels], folder: Path | None = None) -> None:
        with tempfile.TemporaryFile(dir=folder) as file:
            for band in bands:
                file.write(np.ascontiguousarray(band).data)
                shape, dtype = band.shape[1:], band.dtype
                del band  # it would be in memory while the next one is computed
            file.flush()
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.content: NDArray[np.uint8] = np.frombuffer(self._map, np.uint8)
        self._pixels: Pixels = self.content.view(dtype).reshape(-1, *shape)

    def rows(self, top: int, bottom: int) -> Pixels:
        """Return a copy of the rows, (bottom - top, W, C)."""
        part: Pixels = self._pixels[top:bottom].copy()
        self.release()
        return part

    def release(self) -> None:
        """Take the pages out of the memory of the process; they are read again when needed."""
        if hasattr(self._map, "madvise"):  # not on Windows
            self._map.madvise(mmap.MADV_DONTNEED)


def stored(picture: Picture) -> Picture:
    """Return the same picture with its rows in memory, or in a file if it is large.

    Without room for temporary files it stays in memory.
    """
    size = picture.height * picture.width * picture.channels.count * picture.dtype.itemsize
    if size > HELD_BYTES:
        try:
            return replace(picture, rows=PixelFile(iter_rows(picture)).rows)
        except OSError:
            pass
    return replace(picture, rows=from_array(picture.rows(0, picture.height)).rows)


def iter_thin(bands: Iterable[Pixels], width: int) -> Iterator[Pixels]:
    """Yield bands (n, W, C) again in copies of about a megapixel.

    A band of tiles is freed before the next one is computed, because nothing refers to it.
    """
    height = max(1, BAND_PIXELS // width)
    for band in bands:
        for top in range(0, len(band), height):
            yield band[top : top + height].copy()
        del band
