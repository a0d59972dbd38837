"""Animations: GIF, WebP, APNG and AVIF, picture by picture with their timing."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageSequence
from PIL.PngImagePlugin import PngInfo

from drnsr.images.codecs.pillow import check_size, gathered_image, header_metadata, opened
from drnsr.images.file import Format, Page, UpscaledPage
from drnsr.images.files import MAX_PIXELS
from drnsr.images.metadata.exif import grown_exif
from drnsr.images.picture import RGBA, of_array

_KEY = "drnsr"
_QUALITY = 95


def read_animation(path: Path) -> list[Page]:
    """All pictures as they are seen, RGBA; none where there is one alone, or too many for memory.

    Raises:
        ImageError: it is no picture, damaged, or too large to be held in memory.
    """
    with opened(path) as image:
        check_size(image)
        count = getattr(image, "n_frames", 1)
        bits = getattr(image, "tile", None) or [(None,) * 4]
        deep = ";16" in str(bits[0][3])
        if count < 2 or deep or count * image.width * image.height > MAX_PIXELS:
            return []
        metadata, _, notes = header_metadata(image)
        loops = int(image.info.get("loop", 1 if image.format == "GIF" else 0))
        hidden = bool(getattr(image, "default_image", False))  # for readers without animation
        pages = []
        for frame in ImageSequence.Iterator(image):
            pixels = np.asarray(frame.convert("RGBA"))
            duration = float(frame.info.get("duration", 0))
            said = replace(metadata, duration=duration, loops=loops)
            pages.append(Page(of_array(pixels, RGBA), said, notes))
    pages = pages[1:] if hidden else pages
    return pages if any(_is_transparent(page) for page in pages) else [_opaque(p) for p in pages]


def _is_transparent(page: Page) -> bool:
    return bool(page.picture.rows(0, page.picture.height)[:, :, 3].min() < 255)


def _opaque(page: Page) -> Page:
    pixels = page.picture.rows(0, page.picture.height)[:, :, :3]
    return replace(page, picture=of_array(pixels))


def write_animation(
    path: Path, file_format: Format, pages: Sequence[UpscaledPage], text: str
) -> None:
    """Write all pictures; GIF with up to 256 colours in each.

    Args:
        path: to be written.
        file_format: of :data:`drnsr.images.file.ANIMATED`.
        pages: each with a duration.
        text: what made them.
    """
    first = pages[0].source.metadata
    images = [gathered_image(made) for made in pages]
    keywords: dict[str, Any] = {
        "duration": [round(made.source.metadata.duration or 0) for made in pages],
        "loop": first.loops,
    }
    if file_format == "gif":
        keywords |= {"comment": text.encode(), "disposal": 2}
        if first.loops == 1:
            del keywords["loop"]  # shown once, which GIF says by saying nothing
    else:
        keywords["icc_profile"] = first.icc
    if file_format == "png":
        said = PngInfo()
        said.add_itxt(_KEY, text)
        keywords["pnginfo"] = said
    if file_format in ("webp", "avif"):
        keywords |= {"exif": grown_exif(pages[0], text), "quality": _QUALITY}
    images[0].save(path, format=file_format, save_all=True, append_images=images[1:], **keywords)
