"""EXIF, what a camera says of a picture: read, and written again with another size."""

from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from drnsr.errors import SignalError
from drnsr.images.file import Metadata, UpscaledPage

ORIENTATION, SOFTWARE = 274, 305
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_FOLDER, _PIXEL_X, _PIXEL_Y = 0x8769, 0xA002, 0xA003
_MAKER_NOTE, _USER_COMMENT = 0x927C, 0x9286
_GPS = 0x8825
_TOO_LARGE = "left out, for JPEG holds 64 KiB"

_LARGEST_IN_JPEG = 65_533  # bytes, for the length is a number of 16 bits
_LEFT_OUT: dict[tuple[int, ...], str | None] = {
    (): None,
    (_MAKER_NOTE,): f"the maker's note in EXIF, {_TOO_LARGE}",
    (_MAKER_NOTE, _USER_COMMENT): f"the maker's note and the user's comment in EXIF, {_TOO_LARGE}",
}


def read_exif(image: Image.Image) -> tuple[Image.Exif | None, int, tuple[str, ...]]:
    """What an image says, the orientation that it has, and what of it is lost.

    The orientation is taken out, and so is what Pillow reads and cannot write again.
    """
    try:
        exif = image.getexif()
        orientation = exif.pop(ORIENTATION, 1)
        tags = list(exif)
    except SignalError:
        raise
    except Exception:  # Pillow has no error of its own for it, and the pixels are what matters
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
    """With so many of its tags; those that are folders of others with all that is in them."""
    copied = Image.Exif()
    copied.endian = exif.endian
    for tag in tags:
        copied[tag] = exif.get_ifd(tag) if tag in (_FOLDER, _GPS) else exif[tag]
    return copied


def grown_exif(made: UpscaledPage, text: str | None, without: Sequence[int] = ()) -> bytes:
    """The source's EXIF with the new size and resolution, and what made it.

    Args:
        made: the enlarged picture.
        text: what made it; None to leave the source's.
        without: tags of the camera's folder that are left out.
    """
    exif = Image.Exif()
    before = made.source.metadata.exif
    if before is not None:
        exif.load(before.tobytes())
        folder = exif.get_ifd(_FOLDER)
        for tag, size in ((_PIXEL_X, made.width), (_PIXEL_Y, made.height)):
            if tag in folder:
                folder[tag] = size
        for tag in without:
            folder.pop(tag, None)
    if made.resolution is not None and (dpi := made.resolution.per_inch()):
        exif[_X_RESOLUTION], exif[_Y_RESOLUTION] = dpi
        exif[_RESOLUTION_UNIT] = 2  # inches
    if text is not None:
        exif[SOFTWARE] = text
    return exif.tobytes()


def exif_for_jpeg(made: UpscaledPage, text: str) -> tuple[bytes, str | None]:
    """As much of :func:`grown_exif` as a JPEG file holds, and what is left out."""
    for without, lost in _LEFT_OUT.items():
        content = grown_exif(made, text, without)
        if len(content) <= _LARGEST_IN_JPEG:
            return content, lost
    bare = replace(made, source=replace(made.source, metadata=Metadata()))
    return grown_exif(bare, text), f"EXIF, {_TOO_LARGE}"
