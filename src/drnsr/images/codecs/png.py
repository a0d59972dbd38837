"""PNG of 8 and 16 bits a channel: Pillow cuts colour of 16 bits to 8."""

import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np

from drnsr.images.codecs.pillow import (
    check_size,
    header_metadata,
    opened,
    read_page,
    upright,
)
from drnsr.images.file import FormatError, Page, UpscaledPage
from drnsr.images.files import ImageError
from drnsr.images.metadata.exif import grown_exif
from drnsr.images.picture import GRAY, GRAY_ALPHA, RGB, RGBA, of_array

_HEADER_END = 33  # of signature and IHDR, which come first
_OF_COLOUR = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")  # XMP is an iTXt
_KEPT = _OF_COLOUR + _TEXTS
_MOST_CHUNKS, _MOST_BYTES = 1000, 64 << 20
_INCH_IN_METRES = 0.0254


def read_png(path: Path) -> Page:
    """Read a PNG file, upright.

    Raises:
        ImageError: it is no picture, damaged, or too large to be held in memory.
    """
    page = _read(path)
    chunks = kept_chunks(path)
    return replace(page, metadata=replace(page.metadata, png_chunks=chunks))


def kept_chunks(path: Path) -> tuple[tuple[bytes, bytes], ...]:
    """Texts, and what a PNG says of its colours besides a profile; Pillow does not give them whole.

    Those with a wrong checksum are left out.
    """
    found: list[tuple[bytes, bytes]] = []
    held = 0
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(8)
        while len(head := file.read(8)) == 8 and len(found) < _MOST_CHUNKS:
            length, name = struct.unpack(">I4s", head)
            if file.tell() + length + 4 > size:
                break
            if name not in _KEPT or held + length > _MOST_BYTES:
                file.seek(length + 4, os.SEEK_CUR)
                continue
            held += length
            content = file.read(length)
            whole = struct.pack(">I", zlib.crc32(name + content)) == file.read(4)
            if whole and not content.startswith(b"drnsr\0"):  # ours is written anew
                found.append((name, content))
    return tuple(found)


def _read(path: Path) -> Page:
    with path.open("rb") as file:
        bits, colour = file.read(_HEADER_END)[24:26]
    with opened(path) as image:
        check_size(image)
        # Pillow cuts colour of 16 bits, and mistakes which gray is transparent.
        if not (bits == 16 and colour) and not (colour == 0 and "transparency" in image.info):
            return read_page(path)
        frames = getattr(image, "n_frames", 1)
        metadata, orientation, notes = header_metadata(image)
    try:
        pixels = imagecodecs.png_decode(path.read_bytes())
    except imagecodecs.PngError as error:
        raise ImageError(f"damaged or truncated ({error})") from error
    if frames > 1:
        notes += ("the first of its pictures alone",)
    return Page(of_array(upright(pixels, orientation)), metadata, notes)


def check_target(made: UpscaledPage) -> None:
    """Find out before the work whether PNG can hold a picture.

    Raises:
        FormatError: it cannot.
    """
    picture = made.source.picture
    if picture.channels not in (GRAY, GRAY_ALPHA, RGB, RGBA) or picture.dtype not in (
        np.uint8,
        np.uint16,
    ):
        raise FormatError(
            f"{picture.channels.count} channels of {picture.dtype}, which PNG does not hold: take"
            " --format tiff"
        )


def write_png(path: Path, made: UpscaledPage, text: str) -> None:
    """Write a PNG file with what stands beside the pixels, and what made it."""
    pixels = made.pixels()
    encoded = imagecodecs.png_encode(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    with path.open("wb") as file:
        file.write(encoded[:_HEADER_END])
        for name, content in _beside(made, text):
            file.write(_chunk(name, content))
        file.write(memoryview(encoded)[_HEADER_END:])


def _beside(made: UpscaledPage, text: str) -> list[tuple[bytes, bytes]]:
    metadata = made.source.metadata
    chunks = []
    if metadata.icc:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)))
    before = metadata.png_chunks
    chunks += [(name, content) for name, content in before if name in _OF_COLOUR]
    if made.resolution is not None and (dpi := made.resolution.per_inch()):
        x, y = (round(each / _INCH_IN_METRES) for each in dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", x, y, 1)))
    if metadata.exif is not None:
        chunks.append((b"eXIf", grown_exif(made, None).removeprefix(b"Exif\0\0")))
    chunks += [(name, content) for name, content in before if name in _TEXTS]
    return [*chunks, (b"iTXt", b"drnsr\0\0\0\0\0" + text.encode())]


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)
