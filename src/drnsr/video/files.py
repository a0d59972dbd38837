"""Which files are videos, by their first bytes, and the containers that are written."""

import stat
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from drnsr.errors import UserError


class VideoError(UserError):
    """A file that cannot be read as a video, or a request that does not suit it."""


@dataclass(frozen=True)
class Container:
    """A container that can be written.

    Attributes:
        muxer: FFmpeg's name of the writer.
        suffixes: the file names that are kept; new files get the first.
        codecs: the video codecs that it holds, the names of :data:`drnsr.video.codecs.CODECS`.
        keeps_time_base: whether any time base can be stored; Matroska rounds to milliseconds.
        holds_aspect: whether it stores the aspect ratio of pixels for each codec through PyAV.
    """

    muxer: str
    suffixes: tuple[str, ...]
    codecs: tuple[str, ...]
    keeps_time_base: bool = True
    holds_aspect: bool = True


CODEC_NAMES = ("h264", "hevc", "av1", "vp9", "prores", "ffv1")
"""The values of ``--codec``, the keys of :data:`drnsr.video.codecs.CODECS`."""

CONTAINERS = {
    "mp4": Container("mp4", (".mp4", ".m4v"), ("h264", "hevc", "av1", "vp9")),
    "mov": Container("mov", (".mov",), ("h264", "hevc", "prores")),
    "mkv": Container(
        "matroska",
        (".mkv",),
        CODEC_NAMES,
        keeps_time_base=False,
        holds_aspect=False,
    ),
    "webm": Container(
        "webm", (".webm",), ("vp9", "av1"), keeps_time_base=False, holds_aspect=False
    ),
}
"""The values of ``--container``."""

# .ts and .mts are programs in TypeScript more often.
_READ_SUFFIXES = frozenset(
    (".3gp", ".avi", ".dv", ".flv", ".m2ts", ".mpeg", ".mpg", ".ogv", ".wmv")
)
SUFFIXES = _READ_SUFFIXES.union(*(each.suffixes for each in CONTAINERS.values()))
"""The suffixes by which damaged videos are known as such, in lower case."""

PARTS_SUFFIX = ".parts"
"""The end of the name of the folder with the finished parts of a result."""

_HEAD = 400
_MPEG_TS_PACKET = 188
_SIGNATURES = (
    b"\x1aE\xdf\xa3",  # Matroska and WebM
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF: WMV
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",  # MPEG video
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01",  # MXF
    b"OggS",
    b"YUV4MPEG2",
    b"DKIF",  # IVF
    b"nut/multimedia container",
    b"\x1f\x07\x00",  # DV
)
_QUICKTIME_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_SOUND_BRANDS = (b"M4A ", b"M4B ", b"M4P ")
_SOUND_SUFFIXES = frozenset({".m4a", ".m4b", ".mka", ".oga", ".ogg", ".opus", ".spx", ".wma"})


def is_video(path: Path) -> bool:
    """Return whether a file is a video by its first bytes, or at least by its name.

    Pictures such as AVIF share signatures with videos: they are to be recognised before.
    """
    suffix = path.suffix.lower()
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return (_has_signature(head) and suffix not in _SOUND_SUFFIXES) or suffix in SUFFIXES


def _has_signature(head: bytes) -> bool:
    if head[4:8] in _QUICKTIME_ATOMS:
        return head[8:12] not in _SOUND_BRANDS
    if head.startswith(b"RIFF"):
        return head[8:12] == b"AVI "
    for start in (0, 4):  # a packet begins with 0x47, after a time stamp of 4 bytes in M2TS
        packet = _MPEG_TS_PACKET + start
        if len(head) > start + packet and head[start] == head[start + packet] == 0x47:
            return True
    return head.startswith(_SIGNATURES)


def container_of(path: Path) -> str | None:
    """Return the name of the container that a suffix stands for; None if it is not written."""
    suffix = path.suffix.lower()
    return next((name for name, each in CONTAINERS.items() if suffix in each.suffixes), None)


def ending(source: Path, container: str | None, codec: str | None) -> str:
    """Return the suffix of the result of a video.

    Args:
        source: the video.
        container: the requested container; None for that of the source if it is written and holds
            the codec, else the first that holds it, else Matroska, which holds all.
        codec: the requested codec, or None.
    """
    own = container_of(source)
    if container is None:
        container = own
        if codec is not None and (own is None or codec not in CONTAINERS[own].codecs):
            container = next(name for name, each in CONTAINERS.items() if codec in each.codecs)
    if container == own and own is not None:
        return source.suffix
    return CONTAINERS[container or "mkv"].suffixes[0]


def check_installed() -> None:
    """Check that PyAV is there.

    Raises:
        VideoError: it is not installed.
    """
    if find_spec("av") is None:
        raise VideoError("a video, which needs: pip install 'drnsr[video]'")
