"""The mask of a GeoTIFF: which pixels are data, in a page of its own behind that of the pixels.

TIFF 6.0 (section 8, NewSubfileType) calls it a transparency mask, and GDAL an internal mask, which
it writes with ``GDAL_TIFF_INTERNAL_MASK``. In a :class:`drnsr.images.picture.Picture` it is the
last channel.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffPage

from drnsr.images.backends.tiff_rows import TiffRows
from drnsr.images.page import Page, UpscaledPage
from drnsr.images.picture import Box, Picture, Pixels, full_range, nearest_pixels

MASK = 4
"""The bit of NewSubfileType of a mask; 1 is that of a smaller copy."""


def mask_of(page: TiffPage, pages: Sequence[TiffPage]) -> TiffPage | None:
    """Return the mask of a page, which follows it among all pages of the file."""
    for number in range(page.index + 1, len(pages)):
        other = pages[number]
        if not other.subfiletype & 5:
            return None  # the next picture
        size = other.imagelength, other.imagewidth
        if other.subfiletype == MASK and size == (page.imagelength, page.imagewidth):
            return other
    return None


def with_mask(page: Page, mask: TiffPage) -> Page:
    """Return a page with its mask as the last channel.

    A mask beside alpha, in several bands, or of turned pixels is left out with a note.
    """
    picture = page.picture
    is_turned = (picture.height, picture.width) != (mask.imagelength, mask.imagewidth)
    if picture.channels.alpha is not None or mask.samplesperpixel > 1 or is_turned:
        note = "a mask beside alpha, in several bands, or of turned pixels, left out"
        return replace(page, notes=(*page.notes, note))
    count = picture.channels.count
    channels = replace(picture.channels, alpha=count, alpha_is_mask=True)
    rows = _MaskedRows(picture, TiffRows(mask))
    return replace(page, picture=replace(picture, channels=channels, rows=rows))


@dataclass(frozen=True)
class _MaskedRows:
    """Reads pixels with the mask as the last channel: a BoxReader.

    Attributes:
        picture: without the mask.
        mask: (h, w, 1), zero where there is no data.
    """

    picture: Picture
    mask: TiffRows

    def __call__(self, top: int, bottom: int) -> Pixels:
        return self.box(Box(top, bottom, 0, self.picture.width))

    def box(self, box: Box) -> Pixels:
        low, high = full_range(self.picture.dtype)
        mask = np.where(self.mask.box(box), high, low).astype(self.picture.dtype)
        return np.concatenate([self.picture.box(box), mask], axis=2)


def iter_mask(page: UpscaledPage, side: int) -> Iterator[NDArray[np.bool_]]:
    """Yield the tiles (side, side) of the mask of an upscaled page, by rows of tiles.

    Each pixel has the value of that pixel of the source in which its centre lies.
    """
    source = page.source.picture
    transparent, _ = full_range(source.dtype)
    for top in range(0, page.height, side):
        rows = nearest_pixels(top, min(top + side, page.height), page.height, source.height)
        for left in range(0, page.width, side):
            columns = nearest_pixels(left, min(left + side, page.width), page.width, source.width)
            box = Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
            part = source.box(box)[:, :, -1] > transparent
            tile = np.zeros((side, side), bool)
            tile[: len(rows), : len(columns)] = part[rows - rows[0]][:, columns - columns[0]]
            yield tile
