"""The rows of a TIFF page; only the strips or tiles of the last call are held in memory."""

import io
import struct
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from tifffile import COMPRESSION, TiffPage

from drnsr.images.backends.tiff_file import tiff_errors
from drnsr.images.errors import ImageError
from drnsr.images.picture import Pixels

_PICTURES = frozenset(
    {
        *(COMPRESSION.OJPEG, COMPRESSION.JPEG, COMPRESSION.ALT_JPEG),
        *(COMPRESSION.JPEG2000, COMPRESSION.APERIO_JP2000_YCBC, COMPRESSION.APERIO_JP2000_RGB),
        *(COMPRESSION.WEBP, COMPRESSION.PNG),
    }
)
"""The compressions whose data state the size of a strip or tile again."""

_PADDED = 4  # the allowed ratio of coded to shown pixels: strips may be padded

_LARGEST_SEGMENT = 1 << 30
"""The largest size in bytes of a strip or tile, which is held in memory as a whole."""


class TiffRows:
    """Reads rows of a page.

    Args:
        page: of an open file; its samples can be interleaved or in planes.

    Raises:
        ImageError: its strips or tiles are too large to be held in memory.
    """

    def __init__(self, page: TiffPage) -> None:
        assert page.dtype is not None
        self._page = page
        self._dtype: np.dtype[np.generic] = page.dtype.newbyteorder("=")
        self._samples = page.samplesperpixel
        self._planes = self._samples if page.planarconfig == 2 else 1
        strip = min(page.rowsperstrip, page.imagelength), page.imagewidth
        self._height, self._width = (page.tilelength, page.tilewidth) if page.is_tiled else strip
        self._across = -(-page.imagewidth // self._width)
        self._down = -(-page.imagelength // self._height)
        self._contiguous = (
            page.is_contiguous
            and page.dataoffsets[0] > 0
            and self._planes == 1
            and page.fillorder == 1  # otherwise the decoder reverses the bits of each byte
        )
        size = self._height * self._width * self._samples // self._planes * self._dtype.itemsize
        if size > _LARGEST_SEGMENT and not self._contiguous:
            raise ImageError(
                f"strips or tiles of {size >> 20:,} MiB, which do not fit in memory: store it in"
                " smaller ones"
            )
        whole = page.imagelength * page.imagewidth * self._samples * self._dtype.itemsize
        if self._contiguous and page.dataoffsets[0] + whole > page.parent.filehandle.size:
            raise ImageError("damaged or truncated (it ends before its pixels do)")
        if not self._contiguous:
            segments = self._planes * self._down * self._across
            stored = min(len(page.dataoffsets), len(page.databytecounts))
            if segments > stored:
                raise ImageError(
                    f"damaged (its size needs {segments:,} strips or tiles, and it has {stored:,})"
                )
        self._kept: dict[int, Pixels] = {}

    def __call__(self, top: int, bottom: int) -> Pixels:
        """Rows ``top`` to ``bottom``, (bottom - top, W, C).

        Raises:
            ImageError: the file is damaged there.
        """
        with tiff_errors():
            return self._read(top, bottom) if self._contiguous else self._segments(top, bottom)

    def _segments(self, top: int, bottom: int) -> Pixels:
        needed = range(top // self._height, -(-bottom // self._height))
        self._kept = {row: pixels for row, pixels in self._kept.items() if row in needed}
        for row in needed:
            if row not in self._kept:
                self._kept[row] = self._decode(row)
        whole = np.concatenate([self._kept[row] for row in needed])
        first = needed.start * self._height
        return whole[top - first : bottom - first]

    def _read(self, top: int, bottom: int) -> Pixels:
        """Read rows of an uncompressed page, which are contiguous in the file."""
        page = self._page
        assert page.dtype is not None
        row = page.imagewidth * self._samples
        stored = page.dtype.newbyteorder(page.parent.byteorder)
        handle = page.parent.filehandle
        handle.seek(page.dataoffsets[0] + top * row * self._dtype.itemsize)
        pixels = handle.read_array(stored, (bottom - top) * row)
        return pixels.astype(self._dtype, copy=False).reshape(-1, page.imagewidth, self._samples)

    def _decode(self, row: int) -> Pixels:
        """Decode a row of strips or tiles."""
        page = self._page
        height = min(self._height, page.imagelength - row * self._height)
        pixels = np.zeros((height, page.imagewidth, self._samples), self._dtype)
        for plane in range(self._planes):
            start = (plane * self._down + row) * self._across
            for index in range(start, start + self._across):
                self._place(index, plane, row, pixels)
        return pixels

    def _place(self, index: int, plane: int, row: int, pixels: NDArray[np.generic]) -> None:
        page = self._page
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        if count == 0:
            return  # a strip or tile that is not stored is zero
        # No attribute of the page is read in between: that would move the same handle.
        handle = page.parent.filehandle
        handle.seek(offset)
        content = handle.read(min(count, max(0, handle.size - offset)))
        if page.compression in _PICTURES:
            self._check_picture(content)
        segment, position, shape = page.decode(
            content, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader
        )
        if segment is None:
            return
        _, _, top, left, _ = position
        top -= row * self._height
        height = min(shape[1], pixels.shape[0] - top)
        width = min(shape[2], pixels.shape[1] - left)
        channels = slice(plane, plane + 1) if self._planes > 1 else slice(None)
        pixels[top : top + height, left : left + width, channels] = segment[0, :height, :width]

    def _check_picture(self, content: bytes) -> None:
        """Refuse a strip or tile whose own header states more pixels than its page.

        Raises:
            ImageError: it does; decoding it would need memory for all of them.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a large size, which is checked here
                width, height = Image.open(io.BytesIO(content)).size
        except Image.DecompressionBombError as error:
            raise ImageError(f"damaged ({error})") from error
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, struct.error):
            return  # it has no header; the decoder will report what is wrong
        if width * height > _PADDED * self._height * self._width:
            raise ImageError(
                f"damaged (a strip or tile of {self._width} x {self._height} pixels holds"
                f" {width} x {height})"
            )
