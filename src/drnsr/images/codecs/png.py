"""PNG of 8 and 16 bits a channel, and APNG; Pillow truncates colour of 16 bits to 8."""

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from PIL.PngImagePlugin import PngInfo

from drnsr.images.backends.animation import AnimatedCodec
from drnsr.images.backends.pillow import (
    check_image_size,
    header_metadata,
    opened,
    read_page,
    upright,
)
from drnsr.images.codec import PROVENANCE_KEY
from drnsr.images.encoding import squeeze_gray
from drnsr.images.errors import ImageError
from drnsr.images.metadata.exif import upscaled_exif
from drnsr.images.page import PNG_XMP, Metadata, Page, UpscaledPage
from drnsr.images.picture import Pixels, from_array
from drnsr.images.pixel_file import iter_thin, stored

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_END = 33  # the signature and IHDR come first
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels
_IDAT_BYTES = 8192  # as libpng divides them
_COLOUR_CHUNKS = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")  # XMP is an iTXt
_KEPT_CHUNKS = _COLOUR_CHUNKS + _TEXT_CHUNKS
_MOST_CHUNKS, _MOST_BYTES = 1000, 64 << 20
_INCH_IN_METRES = 0.0254


@dataclass(frozen=True, kw_only=True)
class PngCodec(AnimatedCodec):
    """PNG."""

    def read(self, path: Path) -> list[Page]:
        """Return the pages, with the chunks that are kept."""
        chunks = kept_chunks(path)
        return [
            replace(page, metadata=replace(page.metadata, png_chunks=chunks))
            for page in super().read(path)
        ]

    def read_single(self, path: Path) -> list[Page]:
        """See :meth:`AnimatedCodec.read_single`."""
        return [_read(path, self.pillow)]

    def write_single(self, path: Path, page: UpscaledPage, text: str) -> None:
        """Write one picture with its metadata and the provenance."""
        with path.open("wb") as file:
            file.write(_SIGNATURE + encoded_chunk(b"IHDR", _header(page)))
            for name, content in _metadata_chunks(page, text):
                file.write(encoded_chunk(name, content))
            for content in _compressed(_filtered(page)):
                file.write(encoded_chunk(b"IDAT", content))
            file.write(encoded_chunk(b"IEND", b""))

    def animation_options(self, first: UpscaledPage, text: str) -> dict[str, Any]:
        """See :meth:`AnimatedCodec.animation_options`."""
        info = PngInfo()
        for name, content in _metadata_chunks(first, text):
            if name not in (b"iCCP", b"eXIf"):  # Pillow writes these itself, if it is told to
                info.add(name, content)
        metadata = first.source.metadata
        options: dict[str, Any] = {"loop": metadata.loops, "pnginfo": info}
        if metadata.exif is not None:
            options["exif"] = upscaled_exif(first, None)
        return {**options, "icc_profile": metadata.icc}


def kept_chunks(path: Path) -> tuple[tuple[bytes, bytes], ...]:
    """Return name and content of the texts and colour statements, which Pillow does not give whole.

    Chunks with a wrong checksum are left out.
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
            if name not in _KEPT_CHUNKS or held + length > _MOST_BYTES:
                file.seek(length + 4, os.SEEK_CUR)
                continue
            held += length
            content = file.read(length)
            is_intact = struct.pack(">I", zlib.crc32(name + content)) == file.read(4)
            # The provenance of an earlier upscaling is replaced.
            if is_intact and not content.startswith(PROVENANCE_KEY.encode() + b"\0"):
                found.append((name, content))
    return tuple(found)


def _read(path: Path, formats: tuple[str, ...]) -> Page:
    with path.open("rb") as file:
        bits, colour = file.read(_HEADER_END)[24:26]
    with opened(path, formats) as image:
        check_image_size(image)
        # Pillow truncates colour of 16 bits, and takes the wrong gray for transparent.
        if not (bits == 16 and colour) and not (colour == 0 and "transparency" in image.info):
            return read_page(path, formats)
        frames = getattr(image, "n_frames", 1)
        metadata, orientation, notes = header_metadata(image)
    try:
        pixels = imagecodecs.png_decode(path.read_bytes())
    except imagecodecs.PngError as error:
        raise ImageError(f"damaged or truncated ({error})") from error
    if frames > 1:
        notes += ("only the first of its pictures is read",)
    return Page(stored(from_array(upright(pixels, orientation))), metadata, notes)


def _header(page: UpscaledPage) -> bytes:
    bits = page.source.picture.dtype.itemsize * 8
    colour_type = _COLOUR_TYPES[page.channels.count]
    return struct.pack(">IIBBBBB", page.width, page.height, bits, colour_type, 0, 0, 0)


def _filtered(page: UpscaledPage) -> Iterator[memoryview]:
    """Yield the rows of a page with the filters that libpng chooses (PNG specification, 9).

    A filter depends on a row and the row above it. libpng writes a band, and the last row of the
    band before it, as a PNG without compression, from which the filtered rows are taken.
    """
    above: Pixels | None = None
    for band in iter_thin(page.rows, page.width):
        block = band if above is None else np.concatenate([above, band])
        # imagecodecs reserves too little for a byte of filter in each short row.
        room = 2 * (block.nbytes + len(block)) + _IDAT_BYTES
        encoded = imagecodecs.png_encode(squeeze_gray(block), level=0, out=room)
        rows = memoryview(zlib.decompress(_image_data(encoded)))
        yield rows if above is None else rows[len(rows) // len(block) :]
        above = band[-1:]


def _image_data(encoded: bytes | bytearray) -> bytes:
    """Return the content of all IDAT chunks of a PNG."""
    parts = []
    start = len(_SIGNATURE)
    while start < len(encoded):
        length, name = struct.unpack_from(">I4s", encoded, start)
        if name == b"IDAT":
            parts.append(encoded[start + 8 : start + 8 + length])
        start += length + 12
    return b"".join(parts)


def _compressed(parts: Iterable[memoryview]) -> Iterator[bytes]:
    """Yield a zlib stream in pieces, compressed as libpng does it by default."""
    compressor = zlib.compressobj()
    waiting = b""
    for part in chain(parts, [None]):
        waiting += compressor.flush() if part is None else compressor.compress(part)
        end = len(waiting) if part is None else len(waiting) // _IDAT_BYTES * _IDAT_BYTES
        for start in range(0, end, _IDAT_BYTES):
            yield waiting[start : start + _IDAT_BYTES]
        waiting = waiting[end:]


def _metadata_chunks(page: UpscaledPage, text: str) -> list[tuple[bytes, bytes]]:
    metadata = page.source.metadata
    chunks = []
    if metadata.icc:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)))
    before = [each for each in metadata.png_chunks if not each[1].startswith(PNG_XMP)]
    chunks += [(name, content) for name, content in before if name in _COLOUR_CHUNKS]
    if page.resolution is not None and (dpi := page.resolution.per_inch()):
        x, y = (round(each / _INCH_IN_METRES) for each in dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", x, y, 1)))
    if metadata.exif is not None:
        chunks.append((b"eXIf", upscaled_exif(page, None).removeprefix(b"Exif\0\0")))
    chunks += [(name, content) for name, content in before if name in _TEXT_CHUNKS]
    if metadata.xmp:
        chunks.append((b"iTXt", _xmp_text(metadata)))
    return [*chunks, (b"iTXt", PROVENANCE_KEY.encode() + b"\0\0\0\0\0" + text.encode())]


def _xmp_text(metadata: Metadata) -> bytes:
    """Return the chunk of a PNG that has this very packet, or a new one."""
    packet = metadata.xmp or b""
    for name, content in metadata.png_chunks:
        if name == b"iTXt" and content.startswith(PNG_XMP) and content.endswith(packet):
            return content
    return PNG_XMP + bytes(4) + packet  # not compressed, no language, no translated keyword


def encoded_chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG file: its length, name, content and CRC."""
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


CODEC = PngCodec(
    name="png",
    suffixes=(".png", ".apng"),
    signatures=(_SIGNATURE,),
    bits=(8, 16),
    held=0.0,
    keeps=frozenset({"icc", "resolution", "exif", "xmp", "png_chunks", "duration"}),
    pillow=("PNG",),
    in_datasets=True,
)
