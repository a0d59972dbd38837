"""Animations, frame by frame with their durations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageSequence

from drnsr.images.backends.pillow import (
    PillowCodec,
    check_image_size,
    header_metadata,
    opened,
    whole_image,
)
from drnsr.images.codec import MAX_PIXELS
from drnsr.images.page import Page, UpscaledPage, is_animation
from drnsr.images.picture import RGBA, from_array


@dataclass(frozen=True, kw_only=True)
class AnimatedCodec(PillowCodec):
    """A format of Pillow with animations."""

    is_animated: bool = True

    def read(self, path: Path) -> list[Page]:
        """See :meth:`Codec.read`."""
        return read_frames(path, self.pillow) or self.read_single(path)

    def read_single(self, path: Path) -> list[Page]:
        """Return the only picture of a file, or the first."""
        return super().read(path)

    def pixel_count(self, path: Path) -> int:
        """See :meth:`Codec.pixel_count`."""
        with opened(path, self.pillow) as image:
            frames = _frame_count(image) if _is_held(image) else 1
            return int(image.width) * int(image.height) * frames

    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """See :meth:`Codec.write`."""
        if not is_animation(pages):
            self.write_single(path, pages[0], text)
            return
        images = [whole_image(page) for page in pages]
        images[0].save(
            path,
            format=self.pillow[0],
            save_all=True,
            append_images=images[1:],
            duration=[round(page.source.metadata.duration or 0) for page in pages],
            **self.animation_options(pages[0], text),
        )

    def write_single(self, path: Path, page: UpscaledPage, text: str) -> None:
        """Write one picture."""
        super().write(path, [page], text)

    def animation_options(self, first: UpscaledPage, text: str) -> dict[str, Any]:
        """Return the arguments of ``Image.save``, besides the frames and their durations."""
        metadata = first.source.metadata
        options = {"loop": metadata.loops, "icc_profile": metadata.icc, **self.options}
        if metadata.xmp:
            options["xmp"] = metadata.xmp
        return {**options, "exif": self.exif(first, text)}


def _frame_count(image: Image.Image) -> int:
    return int(getattr(image, "n_frames", 1))


def _is_held(image: Image.Image) -> bool:
    """Return whether all frames fit in memory and have 8 bits, so that they are read."""
    tiles = getattr(image, "tile", None) or [(None,) * 4]
    fits = _frame_count(image) * image.width * image.height <= MAX_PIXELS
    return fits and ";16" not in str(tiles[0][3])


def read_frames(path: Path, formats: tuple[str, ...]) -> list[Page]:
    """Return all frames of an animation as they are shown, RGB or RGBA.

    Returns:
        The frames; an empty list for a single picture, and for frames that are too many for memory
        or have 16 bits.

    Raises:
        ImageError: it is not a picture, damaged, or too large to be held in memory.
    """
    with opened(path, formats) as image:
        check_image_size(image)
        if _frame_count(image) < 2 or not _is_held(image):
            return []
        metadata, _, notes = header_metadata(image)
        loops = int(image.info.get("loop", 1 if image.format == "GIF" else 0))
        # Readers without animation show it instead of the frames.
        has_default = bool(getattr(image, "default_image", False))
        pages = []
        for frame in ImageSequence.Iterator(image):
            pixels = np.asarray(frame.convert("RGBA"))
            duration = float(frame.info.get("duration", 0))
            timed = replace(metadata, duration=duration, loops=loops)
            pages.append(Page(from_array(pixels, RGBA), timed, notes))
    pages = pages[1:] if has_default else pages
    return pages if any(map(_is_transparent, pages)) else [_opaque(page) for page in pages]


def _is_transparent(page: Page) -> bool:
    return bool(page.picture.rows(0, page.picture.height)[:, :, 3].min() < 255)


def _opaque(page: Page) -> Page:
    pixels = page.picture.rows(0, page.picture.height)[:, :, :3]
    return replace(page, picture=from_array(pixels))
