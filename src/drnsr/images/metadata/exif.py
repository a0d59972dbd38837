"""EXIF, the metadata of cameras: read, and written with another size."""

from collections.abc import Callable, Sequence

from PIL import Image

from drnsr.errors import SignalError
from drnsr.images.page import UpscaledPage

ORIENTATION, SOFTWARE = 274, 305
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_EXIF_IFD, _PIXEL_X, _PIXEL_Y = 0x8769, 0xA002, 0xA003
_GPS_IFD, INTEROPERABILITY_IFD = 0x8825, 0xA005
IFDS = (_EXIF_IFD, _GPS_IFD)
"""The tags that point to the IFDs of a camera's settings and of the place."""


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
        exif = copy_exif(exif, [tag for tag in tags if tag not in bad])
    return (exif if len(exif) else None), orientation, notes


def _can_be_written(exif: Image.Exif, tags: Sequence[int]) -> bool:
    try:
        Image.Exif().load(copy_exif(exif, tags).tobytes())
    except SignalError:
        raise
    except Exception:  # as above
        return False
    return True


def copy_exif(exif: Image.Exif, tags: Sequence[int]) -> Image.Exif:
    """Return a copy with some of the tags; a tag that points to an IFD is copied with the IFD."""
    copied = Image.Exif()
    copied.endian = exif.endian
    for tag in tags:
        copied[tag] = exif[tag]
        if tag in IFDS:
            ifd = dict(exif.get_ifd(tag))
            if not isinstance(ifd.get(INTEROPERABILITY_IFD), dict):
                ifd.pop(INTEROPERABILITY_IFD, None)  # it is an offset in the other file
            copied[tag] = ifd
    return copied


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
