"""EXIF, the metadata of cameras: read, and written with another size."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from tifffile import TiffPage

from drnsr.errors import SignalError
from drnsr.images.page import TiffTag, UpscaledPage

ORIENTATION, SOFTWARE = 274, 305
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_EXIF_IFD, _PIXEL_X, _PIXEL_Y = 0x8769, 0xA002, 0xA003
_GPS_IFD, _INTEROPERABILITY_IFD = 0x8825, 0xA005
_IFDS = (_EXIF_IFD, _GPS_IFD)
PLACEHOLDER = -1
"""The distance of a placeholder to the tag whose place it keeps: tifffile writes no such tag."""

_ASCII, _LONG, _LONG8 = 2, 4, 16  # types of TIFF tags
_HEADERS = {False: b"II*\0" + bytes(4), True: b"II+\0\x08\0\0\0" + bytes(8)}

# The texts that TIFF shares with EXIF: make, model, date and time, artist, host, copyright. Other
# tags of a TIFF describe how its pixels are stored.
_TEXTS = (271, 272, 306, 315, 316, 33432)


def read_exif(
    load: Callable[[], Image.Exif],
) -> tuple[Image.Exif | None, int, tuple[str, ...]]:
    """Return the EXIF of a file, its orientation, and notes about damaged tags.

    The orientation is removed, and so are tags that Pillow can read and not write.

    Args:
        load: reads the EXIF, such as ``Image.getexif``.
    """
    try:
        exif = load()
        orientation = exif.pop(ORIENTATION, 1)
        tags = list(exif)
    except SignalError:
        raise
    except Exception:  # Pillow raises errors of any type; the pixels can be read all the same
        return None, 1, ("EXIF that is damaged, left out",)
    orientation = orientation if isinstance(orientation, int) else 1
    bad = [] if _can_be_written(exif, tags) else [t for t in tags if not _can_be_written(exif, [t])]
    notes = (f"EXIF with damaged tags, left out: {', '.join(map(str, bad))}",) if bad else ()
    if bad:
        exif = _copied(exif, [tag for tag in tags if tag not in bad])
    return (exif if len(exif) else None), orientation, notes


def _can_be_written(exif: Image.Exif, tags: Sequence[int]) -> bool:
    try:
        Image.Exif().load(_copied(exif, tags).tobytes())
    except SignalError:
        raise
    except Exception:  # as above
        return False
    return True


def _copied(exif: Image.Exif, tags: Sequence[int]) -> Image.Exif:
    """Return a copy with some of the tags; a tag that points to an IFD is copied with the IFD."""
    copied = Image.Exif()
    copied.endian = exif.endian
    for tag in tags:
        copied[tag] = exif[tag]
        if tag in _IFDS:
            ifd = dict(exif.get_ifd(tag))
            if not isinstance(ifd.get(_INTEROPERABILITY_IFD), dict):
                ifd.pop(_INTEROPERABILITY_IFD, None)  # it is an offset in the other file
            copied[tag] = ifd
    return copied


def exif_of_tiff(path: Path, page: TiffPage) -> Image.Exif:
    """Read the texts, EXIF and GPS of a page of a TIFF; it may raise what Pillow raises."""
    exif = Image.Exif()
    exif.endian = page.parent.byteorder
    exif.bigtiff = page.parent.is_bigtiff
    with path.open("rb") as file:
        exif.load_from_fp(file, page.offset)
        found = [tag for tag in (*_TEXTS, *_IFDS) if tag in exif]
        content = _copied(exif, found).tobytes() if found else b""
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
    pointers = [code for code in _IFDS if exif.get_ifd(code)]
    kind = _LONG8 if bigtiff else _LONG
    return tags + [(code + PLACEHOLDER, kind, 1, 0, False) for code in pointers]


def exif_block(page: UpscaledPage, start: int, *, bigtiff: bool) -> tuple[bytes, dict[int, int]]:
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
    for code in _IFDS:
        values = exif.get_ifd(code)
        if values:
            ifd = ImageFileDirectory_v2(_HEADERS[bigtiff], group=code)
            for tag, value in values.items():
                if tag != _INTEROPERABILITY_IFD:
                    ifd[tag] = value
            offsets[code] = start + len(block)
            block += ifd.tobytes(offsets[code])
    return block, offsets


def upscaled_exif(page: UpscaledPage, text: str | None, without: Sequence[int] = ()) -> bytes:
    """Return the source's EXIF with the new size and resolution, and the provenance.

    Args:
        page: the upscaled page.
        text: the provenance; None to keep the source's software.
        without: tags of the Exif IFD that are left out.
    """
    exif = Image.Exif()
    before = page.source.metadata.exif
    if before is not None:
        exif.load(before.tobytes())
        exif_ifd = exif.get_ifd(_EXIF_IFD)
        for tag, size in ((_PIXEL_X, page.width), (_PIXEL_Y, page.height)):
            if tag in exif_ifd:
                exif_ifd[tag] = size
        for tag in without:
            exif_ifd.pop(tag, None)
    if page.resolution is not None and (dpi := page.resolution.per_inch()):
        exif[_X_RESOLUTION], exif[_Y_RESOLUTION] = dpi
        exif[_RESOLUTION_UNIT] = 2  # inches
    if text is not None:
        exif[SOFTWARE] = text
    return exif.tobytes()
