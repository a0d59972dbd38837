"""Writing enlarged pictures, in any format that can hold them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from drnsr.atomic import atomic_path
from drnsr.images.file import ANIMATED, PAGED, Format, FormatError, UpscaledPage
from drnsr.images.picture import full_range

KEPT_BY: dict[str, tuple[Format, ...]] = {
    "icc": ("png", "jpeg", "webp", "tiff", "avif"),
    "exif": ("png", "jpeg", "webp", "avif"),
    "georeference": ("tiff",),
    "png_chunks": ("png",),
}
"""What stands beside the pixels, as :class:`drnsr.images.file.Metadata` calls it, and the formats
that keep it; the others lose it, which is told."""

_CALLED = {
    "icc": "the colour profile",
    "exif": "EXIF",
    "georeference": "the georeference",
    "png_chunks": "the texts and statements of colour of PNG",
}


def check_target(file_format: Format, pages: Sequence[UpscaledPage]) -> None:
    """Find out before the work whether a format can hold what is to be made.

    Raises:
        FormatError: it cannot; the message says which can.
    """
    from drnsr.images.codecs import coded, pillow, png

    if file_format in ("jp2", "jxl") and not coded.can_hold(pages[0]):
        raise FormatError(f"{file_format.upper()} does not hold its pixels: take --format tiff")
    if len(pages) > 1 and file_format not in (PAGED + (ANIMATED if _is_animated(pages) else ())):
        raise FormatError(
            f"{len(pages)} pages, and {file_format.upper()} holds one: take --format tiff"
        )
    if file_format == "dicom":
        from drnsr.images.codecs import dicom

        dicom.check_target(pages)
    for made in pages:
        if made.source.metadata.white_is_zero and file_format not in PAGED:
            raise FormatError(
                f"its zero is white, which {file_format.upper()} cannot say: take --format tiff"
            )
        if file_format == "png":
            png.check_target(made)
        elif file_format not in PAGED:
            pillow.check_target(made, file_format)


def _is_animated(pages: Sequence[UpscaledPage]) -> bool:
    return len(pages) > 1 and pages[0].source.metadata.duration is not None


def losses(file_format: Format, pages: Sequence[UpscaledPage], text: str) -> list[str]:
    """What a format cannot hold of pixels and what stands beside them, for the person to know.

    Args:
        file_format: of the file.
        pages: checked by :func:`check_target`.
        text: what made them.
    """
    from drnsr.images.metadata.exif import exif_for_jpeg

    lost = [_darkened(file_format, made) for made in pages]
    lost += [
        f"{file_format.upper()} does not hold {_CALLED[kind]}"
        for kind, formats in KEPT_BY.items()
        if file_format not in formats and any(getattr(made.source.metadata, kind) for made in pages)
    ]
    if file_format == "gif":
        lost.append("256 colours a picture in GIF: --format webp or png keeps all")
    if file_format == "tiff" and _is_animated(pages):
        lost.append("the timing of its pictures, which become pages")
    if file_format == "jpeg":
        lost += [exif_for_jpeg(made, text)[1] for made in pages]
    return [each for each in lost if each is not None]


def _darkened(file_format: Format, made: UpscaledPage) -> str | None:
    """What becomes of 16 bits whose white is low, where 8 are stored."""
    picture = made.source.picture
    deep = file_format in (*PAGED, "png", "jp2", "jxl") or (
        file_format == "ppm" and picture.channels.count == 1
    )
    white = picture.value_range[1]
    if deep or picture.dtype != np.uint16 or white > full_range(picture.dtype)[1] / 4:
        return None
    darker = f"its white, {white:.6g}, is {white / 257:.0f}"
    return f"16 bits become 8, in which {darker}: take --format png"


def write_picture(
    path: Path, file_format: Format, pages: Sequence[UpscaledPage], text: str
) -> None:
    """Make the pages and write them, whole or not at all.

    Args:
        path: of the file; its folder is made when missing.
        file_format: of the file.
        pages: checked by :func:`check_target`; they are made while they are written.
        text: what made them, for the formats that can say so.

    Raises:
        OSError: it cannot be written; it names the file.
    """
    with atomic_path(path) as partial:
        if file_format in ANIMATED and _is_animated(pages):
            from drnsr.images.codecs.animation import write_animation

            write_animation(partial, file_format, pages, text)
        elif file_format in ("jp2", "jxl"):
            from drnsr.images.codecs.coded import write_coded

            write_coded(partial, file_format, pages[0])
        elif file_format == "tiff":
            from drnsr.images.codecs import tiff

            tiff.write_pages(partial, pages, text)
        elif file_format == "dicom":
            from drnsr.images.codecs.dicom import write_frames

            write_frames(partial, pages, text)
        elif file_format == "png":
            from drnsr.images.codecs import png

            png.write_png(partial, pages[0], text)
        else:
            from drnsr.images.codecs import pillow

            pillow.write_page(partial, file_format, pages[0], text)
