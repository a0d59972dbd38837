"""EXIF in TIFF: tifffile neither writes the IFDs of EXIF and GPS nor reads them by their tags."""

import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from tifffile import TiffFile, TiffPage

from drnsr.images.metadata.exif import IFDS, INTEROPERABILITY_IFD, copy_exif, upscaled_exif
from drnsr.images.page import TiffTag, UpscaledPage

_ASCII, _LONG, _LONG8 = 2, 4, 16  # types of TIFF tags
_HEADERS = {False: b"II*\0" + bytes(4), True: b"II+\0\x08\0\0\0" + bytes(8)}

# tifffile refuses to write a pointer to an IFD, so a tag with the number before it is written, and
# becomes the pointer afterwards.
_PLACEHOLDER = -1

# The texts that TIFF shares with EXIF: make, model, date and time, artist, host, copyright. Other
# tags of a TIFF describe how its pixels are stored.
_TEXTS = (271, 272, 306, 315, 316, 33432)


def exif_of_tiff(path: Path, page: TiffPage) -> Image.Exif:
    """Read the texts, EXIF and GPS of a page of a TIFF; it may raise what Pillow raises."""
    exif = Image.Exif()
    if not any(code in page.tags for code in (*_TEXTS, *IFDS)):
        return exif
    exif.endian = page.parent.byteorder
    exif.bigtiff = page.parent.is_bigtiff
    with path.open("rb") as file:
        exif.load_from_fp(file, page.offset)
        found = [tag for tag in (*_TEXTS, *IFDS) if tag in exif]
        content = copy_exif(exif, found).tobytes() if found else b""
    read = Image.Exif()
    read.load(content)
    return read


def exif_tags(exif: Image.Exif, *, bigtiff: bool) -> list[TiffTag]:
    """Return the tags of a TIFF page for its EXIF, with placeholders for the pointers to IFDs."""
    tags: list[TiffTag] = []
    for code in _TEXTS:
        if isinstance(text := exif.get(code), str):
            content = text.encode() + b"\0"
            tags.append((code, _ASCII, len(content), content, False))
    pointers = [code for code in IFDS if exif.get_ifd(code)]
    kind = _LONG8 if bigtiff else _LONG
    return tags + [(code + _PLACEHOLDER, kind, 1, 0, False) for code in pointers]


def _exif_block(page: UpscaledPage, start: int, *, bigtiff: bool) -> tuple[bytes, dict[int, int]]:
    """Return the IFDs of EXIF and GPS as they are appended to a little-endian TIFF.

    Args:
        page: the upscaled page, with EXIF.
        start: the place in the file where they will stand.
        bigtiff: whether offsets have 64 bits.

    Returns:
        The bytes, and the offset of each IFD by its tag.
    """
    exif = Image.Exif()
    exif.load(upscaled_exif(page, None))
    block, offsets = b"", {}
    for code in IFDS:
        values = exif.get_ifd(code)
        if values:
            ifd = ImageFileDirectory_v2(_HEADERS[bigtiff], group=code)
            for tag, value in values.items():
                if tag != INTEROPERABILITY_IFD:
                    ifd[tag] = value
            offsets[code] = start + len(block)
            block += ifd.tobytes(offsets[code])
    return block, offsets


def append_exif(path: Path, pages: Sequence[UpscaledPage], *, bigtiff: bool) -> None:
    """Append the IFDs of EXIF and GPS, which tifffile does not write, and point to them."""
    with TiffFile(path, mode="r+") as tiff:
        handle = tiff.filehandle
        written_pages = (each for each in tiff.pages if not each.aspage().subfiletype)
        for page, written in zip(pages, written_pages, strict=True):
            if page.source.metadata.exif is None:
                continue
            tags = written.aspage().tags
            handle.seek(0, os.SEEK_END)
            handle.write(bytes(handle.tell() % 2))  # an IFD begins at an even place
            block, offsets = _exif_block(page, handle.tell(), bigtiff=bigtiff)
            handle.write(block)
            for code, offset in offsets.items():
                tag = tags[code + _PLACEHOLDER]
                handle.seek(tag.offset)
                handle.write(code.to_bytes(2, "little"))
                handle.seek(tag.valueoffset)
                handle.write(offset.to_bytes(8 if bigtiff else 4, "little"))
