"""The picture formats, one module each.

A module defines ``CODEC``, a :class:`drnsr.images.codec.Codec`; it is found here by being there.
"""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from drnsr.images.codec import Codec


def _discover() -> dict[str, Codec]:
    modules = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    codecs: list[Codec] = [module.CODEC for module in modules]
    return {codec.name: codec for codec in codecs}


CODECS: dict[str, Codec] = _discover()
"""The formats by name, in alphabetical order."""


def writable() -> list[str]:
    """Return the names of the formats of files that can be written."""
    return [c.name for c in CODECS.values() if c.written_as is None and not c.is_folder]


def suffixes() -> frozenset[str]:
    """Return the suffixes of all formats, in lower case and with the dot."""
    return frozenset(s for codec in CODECS.values() for s in codec.suffixes + codec.read_suffixes)


def codec_of_suffix(suffix: str) -> Codec | None:
    """Return the format with a suffix, in upper or lower case; None if there is none."""
    wanted = suffix.lower()
    for codec in CODECS.values():
        if wanted in codec.suffixes + codec.read_suffixes:
            return codec
    return None


def split_name(path: Path) -> tuple[str, str]:
    """Split a file's name into its stem and its suffix; that of a format may have two dots.

    >>> split_name(Path("head.1.nii.gz"))
    ('head.1', '.nii.gz')
    """
    suffix = "".join(path.suffixes[-2:])
    if codec_of_suffix(suffix) is None:
        suffix = path.suffix
    return path.name.removesuffix(suffix), suffix


def codec_of_content(head: bytes, suffix: str) -> Codec | None:
    """Return the format of a file by its first bytes; the name may be wrong.

    Args:
        head: the first :data:`drnsr.images.reading.HEAD` bytes.
        suffix: of the file, for formats without a signature.
    """
    for codec in CODECS.values():
        if codec.recognises(head):
            return codec
    named = codec_of_suffix(suffix)
    return named if named is not None and named.may_be(head) else None
