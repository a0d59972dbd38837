"""Views of pictures for the page: 8-bit RGB, as previews and as small crops."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from drnsr.atomic import naming_file
from drnsr.images.picture import Box, Picture
from drnsr.reporting.comparison import bicubic_crop
from drnsr.reporting.display import DisplayRange, PremultipliedRGBA, to_premultiplied
from drnsr.reporting.drawing import magnify, png_url

CROP_WIDTH, CROP_HEIGHT = 80, 48
"""The crop that the page magnifies four times, so that single pixels are visible."""

# A preview's longer side in pixels is at most the first; pixels are repeated up to the second.
_MAX_PREVIEW, _MIN_PREVIEW = 1600, 320

# Rows that are converted at a time; a multiple of the squares of the checkerboard.
_BAND_HEIGHT = 64


Advance = Callable[[int], None]
"""Is told that so many pixels are done, and that the task makes progress at all."""


def ignore(pixels: int) -> None:
    """Ignore the progress."""


@dataclass(frozen=True)
class View:
    """A picture as 8-bit RGB for display, in a file without a header.

    So neither the process that makes it nor an open page takes memory for it.

    Attributes:
        path: the file.
        width: in pixels.
        height: in pixels.
        icc: the colour profile of the pixels.
    """

    path: Path
    width: int
    height: int
    icc: bytes | None

    @classmethod
    def of_picture(
        cls,
        path: Path,
        picture: Picture,
        display: DisplayRange,
        icc: bytes | None,
        advance: Advance = ignore,
    ) -> "View":
        """Convert a picture and write it to ``path``; ``advance`` is called again and again.

        Raises:
            OSError: the file cannot be written.
        """
        return cls._write(
            path,
            (picture.width, picture.height),
            lambda band: to_premultiplied(picture.rows(band.top, band.bottom), picture),
            display,
            icc,
            advance,
        )

    @classmethod
    def bicubic(
        cls,
        path: Path,
        picture: Picture,
        new_size: tuple[int, int],
        display: DisplayRange,
        icc: bytes | None,
        advance: Advance = ignore,
    ) -> "View":
        """Upscale a picture to (width, height) by bicubic interpolation, and write it to ``path``.

        ``advance`` is called again and again.

        Raises:
            OSError: the file cannot be written.
        """
        return cls._write(
            path,
            new_size,
            lambda band: bicubic_crop(picture, new_size, band),
            display,
            icc,
            advance,
        )

    @classmethod
    def _write(
        cls,
        path: Path,
        size: tuple[int, int],
        read: Callable[[Box], PremultipliedRGBA],
        display: DisplayRange,
        icc: bytes | None,
        advance: Advance,
    ) -> "View":
        width, height = size
        with naming_file(path), path.open("wb") as file:
            for top in range(0, height, _BAND_HEIGHT):
                band = Box(top, min(top + _BAND_HEIGHT, height), 0, width)
                advance(0)
                file.write(np.asarray(display.to_image(read(band))).tobytes())
        return cls(path, width, height, icc)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The pixels, (H, W, 3), read from the file when they are used."""
        return np.memmap(self.path, np.uint8, mode="r", shape=(self.height, self.width, 3))

    def write_preview(self, path: Path) -> None:
        """Write a preview; see :func:`write_preview`."""
        write_preview(path, Image.fromarray(self.pixels), self.icc)

    def crop_url(self, left: int, top: int) -> str:
        """Return a data URL of the crop that begins at (left, top), cut off at the border."""
        crop = self.pixels[top : top + CROP_HEIGHT, left : left + CROP_WIDTH]
        return png_url(Image.fromarray(crop), self.icc)


def write_preview(path: Path, image: Image.Image, icc: bytes | None) -> None:
    """Write a PNG for the page: shrink a large image, repeat the pixels of a small one.

    Raises:
        OSError: the file cannot be written.
    """
    preview = image.copy()
    preview.thumbnail((_MAX_PREVIEW, _MAX_PREVIEW), Image.Resampling.LANCZOS)
    preview = magnify(preview, max(1, _MIN_PREVIEW // max(preview.size)))
    preview.save(path, format="PNG", compress_level=1, icc_profile=icc)
