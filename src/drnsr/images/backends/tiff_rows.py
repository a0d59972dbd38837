"""The pixels of a TIFF page; a few strips or tiles are held in memory."""

import io
import struct
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from tifffile import COMPRESSION, TiffPage

from drnsr.images.backends.tiff_file import tiff_errors
from drnsr.images.errors import ImageError
from drnsr.images.picture import Box, Pixels

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

_KEPT = 64 << 20
"""The bytes of decoded strips or tiles that are kept for later calls, besides those of the last."""


class TiffRows:
    """Reads rows and boxes of a page: a :class:`drnsr.images.picture.BoxReader`.

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
        self._kept: dict[tuple[int, int], Pixels] = {}  # the last used is at the end

    def __call__(self, top: int, bottom: int) -> Pixels:
        """Rows ``top`` to ``bottom``, (bottom - top, W, C).

        Raises:
            ImageError: the file is damaged there.
        """
        return self.box(Box(top, bottom, 0, self._page.imagewidth))

    def box(self, box: Box) -> Pixels:
        """Return a part, (box.height, box.width, C); what lies beside it is not decoded.

        Raises:
            ImageError: the file is damaged there.
        """
        with tiff_errors():
            return self._read(box) if self._contiguous else self._segments(box)

    def _segments(self, box: Box) -> Pixels:
        pixels = np.empty((box.height, box.width, self._samples), self._dtype)
        rows = range(box.top // self._height, -(-box.bottom // self._height))
        columns = range(box.left // self._width, -(-box.right // self._width))
        needed = {(row, column) for row in rows for column in columns}
        for row, column in sorted(needed):
            segment = self._kept.pop((row, column), None)
            if segment is None:
                segment = self._decode(row, column)
            self._kept[row, column] = segment
            top, left = row * self._height, column * self._width
            y, x = max(box.top, top), max(box.left, left)
            part = segment[y - top : box.bottom - top, x - left : box.right - left]
            pixels[y - box.top :, x - box.left :][: part.shape[0], : part.shape[1]] = part
        kept = sum(segment.nbytes for segment in self._kept.values())
        for place in [place for place in self._kept if place not in needed]:
            if kept > _KEPT:
                kept -= self._kept.pop(place).nbytes
        return pixels

    def _read(self, box: Box) -> Pixels:
        """Read a part of an uncompressed page, whose rows are contiguous in the file."""
        page = self._page
        assert page.dtype is not None
        stored = page.dtype.newbyteorder(page.parent.byteorder)
        handle = page.parent.filehandle
        pixels = np.empty((box.height, box.width, self._samples), self._dtype)
        rows = box.height if box.width == page.imagewidth else 1
        for top in range(0, box.height, max(1, rows)):
            place = (box.top + top) * page.imagewidth + box.left
            handle.seek(page.dataoffsets[0] + place * self._samples * self._dtype.itemsize)
            part = handle.read_array(stored, rows * box.width * self._samples)
            pixels[top : top + rows] = part.reshape(rows, box.width, self._samples)
        return pixels

    def _decode(self, row: int, column: int) -> Pixels:
        """Decode a strip or tile, with those of the other planes."""
        page = self._page
        height = min(self._height, page.imagelength - row * self._height)
        width = min(self._width, page.imagewidth - column * self._width)
        pixels = np.zeros((height, width, self._samples), self._dtype)
        for plane in range(self._planes):
            index = (plane * self._down + row) * self._across + column
            self._place(index, plane, pixels)
        return pixels

    def _place(self, index: int, plane: int, pixels: NDArray[np.generic]) -> None:
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
        segment, _, shape = page.decode(
            content, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader
        )
        if segment is None:
            return
        height, width = min(shape[1], pixels.shape[0]), min(shape[2], pixels.shape[1])
        channels = slice(plane, plane + 1) if self._planes > 1 else slice(None)
        pixels[:height, :width, channels] = segment[0, :height, :width]

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
