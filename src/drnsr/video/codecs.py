"""The codecs of written videos: which encoder, pixel format and options a source gets."""

from collections.abc import Callable
from dataclasses import dataclass

import av

from drnsr.video.files import CODEC_NAMES, CONTAINERS, VideoError
from drnsr.video.options import ClipOptions
from drnsr.video.probe import ClipInfo

# An encoder keeps frames to look ahead. They may take this much memory in bytes, whatever their
# size, and at least a few. Above 3840 x 2160 pixels of 8 bits it looks at no other frame.
_LOOKAHEAD_BYTES = 100e6
_LEAST_LOOKAHEAD = 5
LARGE_FRAME = 13e6

# The memory of an encoder in bytes, so that a process stays within 2 GiB.
_ENCODER_BYTES = 1e9

_THREADS = 4  # frame threads keep frames, too


@dataclass(frozen=True)
class Codec:
    """A codec that can be written.

    Attributes:
        encoder: FFmpeg's name of the encoder.
        crf: the default constant rate factor; None for a codec without one.
        max_crf: the largest.
        options: from (crf, number of frames to look ahead, chroma is not subsampled) to the options
            of the encoder.
        kept_frames: its memory without looking ahead, in frames of (width * height * 1.5) values,
            as measured by ``benchmarks/memory.py encoders``.
        least_width: of its frames.
    """

    encoder: str
    crf: int | None
    max_crf: int
    options: Callable[[int | None, int, bool], dict[str, str]]
    kept_frames: int
    least_width: int = 1


def _x264(crf: int | None, lookahead: int, _: bool) -> dict[str, str]:
    options = {"preset": "medium", "crf": str(crf)}
    if lookahead:
        return options | {"rc-lookahead": str(min(40, lookahead))}
    # Threads share a frame, and it is predicted from the one before alone.
    params = "sliced-threads=1:sync-lookahead=0:rc-lookahead=1:bframes=0:ref=1:weightp=0"
    return options | {"x264-params": params}


def _x265(crf: int | None, lookahead: int, _: bool) -> dict[str, str]:
    ahead = min(20, lookahead)
    params = f"rc-lookahead={ahead}:bframes={min(4, ahead - 1)}"
    if not lookahead:
        params = "rc-lookahead=1:bframes=0:ref=1:weightp=0"
    params = f"log-level=none:{params}:frame-threads=1"
    return {"preset": "medium", "crf": str(crf), "x265-params": params}


def _vpx(crf: int | None, lookahead: int, _: bool) -> dict[str, str]:
    ahead = str(min(25, lookahead))
    return {
        **{"deadline": "good", "cpu-used": "4", "row-mt": "1"},
        **{"crf": str(crf), "b": "0", "lag-in-frames": ahead},
    }


def _svt(crf: int | None, lookahead: int, _: bool) -> dict[str, str]:
    params = f"lp=2:lookahead={min(32, lookahead)}" if lookahead else "lp=1:pred-struct=1"
    return {"preset": "8", "crf": str(crf), "svtav1-params": params}


def _prores(_crf: int | None, _lookahead: int, is_full_chroma: bool) -> dict[str, str]:
    return {"profile": "4444" if is_full_chroma else "hq"}


CODECS = {
    "h264": Codec("libx264", 18, 51, _x264, 16),
    # x265 4.2 writes outside of its memory for frames that are not so wide.
    "hevc": Codec("libx265", 20, 51, _x265, 36, least_width=64),
    "av1": Codec("libsvtav1", 24, 63, _svt, 24),
    "vp9": Codec("libvpx-vp9", 24, 63, _vpx, 49),
    "prores": Codec("prores_ks", None, 0, _prores, 5),
    "ffv1": Codec("ffv1", None, 0, lambda *_: {"level": "3", "slicecrc": "1"}, 24),
}
"""The values of ``--codec``."""

_DEEP_DEFAULTS = ("hevc", "av1", "h264", "prores", "ffv1")  # few programs play H.264 of 10 bits


@dataclass(frozen=True)
class Encoding:
    """How the frames of a clip are encoded.

    Attributes:
        codec: its name in :data:`CODECS`.
        encoder: FFmpeg's name of the encoder.
        pixel_format: FFmpeg's name.
        width: of the encoded frames; even where chroma is subsampled.
        height: likewise.
        options: of the encoder.
        threads: of the encoder.
        notes: what the result does not keep.
    """

    codec: str
    encoder: str
    pixel_format: str
    width: int
    height: int
    options: dict[str, str]
    threads: int
    notes: tuple[str, ...]


def check_options(options: ClipOptions) -> None:
    """Check options against each other, before any file is opened.

    Raises:
        VideoError: the container does not hold the codec, or the codec has no such rate factor.
    """
    codec, container = options.codec, options.container
    if codec and container and codec not in CONTAINERS[container].codecs:
        holds = ", ".join(CONTAINERS[container].codecs)
        raise VideoError(f"--codec {codec}: {container} holds {holds}")
    if codec and options.crf is not None:
        _check_crf(codec, options.crf)


def _check_crf(codec: str, crf: int) -> None:
    known = CODECS[codec]
    if known.crf is None:
        raise VideoError(f"--crf {crf}: {codec} has none")
    if crf > known.max_crf:
        raise VideoError(f"--crf {crf}: {codec} has 0 to {known.max_crf}")


def choose_encoding(
    info: ClipInfo, size: tuple[int, int], options: ClipOptions, container: str
) -> Encoding:
    """Choose how the upscaled frames of a clip are encoded.

    Args:
        info: the clip.
        size: (width, height) of its upscaled frames.
        options: the requests.
        container: a key of :data:`drnsr.video.files.CONTAINERS`.

    Raises:
        VideoError: no encoder keeps the bits of the clip, or the requested one does not.
    """
    held = CONTAINERS[container].codecs
    if options.codec is not None and options.codec not in held:
        raise VideoError(f"--codec {options.codec}: {container} holds {', '.join(held)}")
    frame_bytes = size[0] * size[1] * 1.5 * (2 if info.is_deep else 1)
    name = options.codec or _default_codec(info, held, size[0], frame_bytes)
    if name is None or not _formats(name, info.bits):
        advice = f"{name or container} holds fewer: take --codec hevc or ffv1 with --container mkv"
        raise VideoError(f"it has {info.bits} bits a channel, and {advice}")
    if options.crf is not None:
        _check_crf(name, options.crf)
    known = CODECS[name]
    if size[0] < known.least_width:
        raise VideoError(f"--codec {name}: the encoder takes {known.least_width} pixels and more")
    chosen = min(_formats(name, info.bits), key=lambda each: _loss(each, info))
    notes = _losses(name, chosen, info)
    width, height = size
    subsampled = av.VideoFormat(chosen, 4, 4)
    if subsampled.chroma_width(4) < 4:
        width -= width % 2
    if subsampled.chroma_height(4) < 4:
        height -= height % 2
    if (width, height) != size:
        was, now = (f"{each[0]} x {each[1]}" for each in (size, (width, height)))
        notes.append(f"{was} pixels are cropped to {now}: {chosen} needs even sides")
    if frame_bytes * known.kept_frames > _ENCODER_BYTES:
        needs = f"{frame_bytes * known.kept_frames / 1e9:.1f} GB"
        notes.append(f"the encoder of {name} needs about {needs} for frames of this size")
    lookahead = max(_LEAST_LOOKAHEAD, int(_LOOKAHEAD_BYTES / frame_bytes))
    if frame_bytes > LARGE_FRAME:
        lookahead = 0
    crf = options.crf if options.crf is not None else known.crf
    return Encoding(
        codec=name,
        encoder=known.encoder,
        pixel_format=chosen,
        width=width,
        height=height,
        options=known.options(crf, lookahead, subsampled.chroma_width(4) == 4),
        threads=_THREADS,
        notes=tuple(notes),
    )


def _default_codec(
    info: ClipInfo, held: tuple[str, ...], width: int, frame_bytes: float
) -> str | None:
    """Return that of the source if it can be written with all bits, else a usual one.

    One whose encoder needs little memory for frames of this size goes first.
    """
    order = _DEEP_DEFAULTS if info.is_deep else CODEC_NAMES
    names = [
        name
        for name in (info.codec, *order)
        if name in held and width >= CODECS[name].least_width and _formats(name, info.bits)
    ]
    small = [name for name in names if frame_bytes * CODECS[name].kept_frames <= _ENCODER_BYTES]
    return next(iter(small + names), None)


def _formats(codec: str, bits: int) -> list[str]:
    """Return the formats of an encoder that hold so many bits, without alpha."""
    encoder = av.Codec(CODECS[codec].encoder, "w")
    return [
        each.name
        for each in encoder.video_formats or []
        if _depth(each) >= bits
        and not each.name.startswith(("yuvj", "nv", "bayer"))
        and not any(part.is_alpha for part in each.components)
        and "f" not in each.name.removesuffix("le").removesuffix("be")[3:]  # floating point
    ]


def _depth(pixels: av.VideoFormat) -> int:
    return max((part.bits for part in pixels.components), default=0)


def _sampling(pixels: av.VideoFormat) -> tuple[int, int]:
    """Return the (width, height) of chroma for 8 x 8 pixels; (0, 0) for gray."""
    if len(pixels.components) < 3:
        return 0, 0
    return (8, 8) if pixels.is_rgb else (pixels.chroma_width(8), pixels.chroma_height(8))


def _loss(name: str, info: ClipInfo) -> tuple[int, ...]:
    """Order formats: first what chroma is lost, then what is stored in vain."""
    own, other = av.VideoFormat(info.pixel_format, 8, 8), av.VideoFormat(name, 8, 8)
    mine, its = _sampling(own), _sampling(other)
    lost = sum(max(0, a - b) for a, b in zip(mine, its, strict=True))
    vain = sum(max(0, b - a) for a, b in zip(mine, its, strict=True))
    return lost, int(own.is_rgb != other.is_rgb), vain, _depth(other), len(name)


def _losses(codec: str, chosen: str, info: ClipInfo) -> list[str]:
    own, other = av.VideoFormat(info.pixel_format, 8, 8), av.VideoFormat(chosen, 8, 8)
    notes = []
    if _sampling(other) < _sampling(own):
        notes.append(f"{codec} stores its chroma as {chosen} (it is {info.pixel_format})")
    if own.is_rgb and not other.is_rgb:
        notes.append(f"RGB is stored as {chosen} by BT.709")
    if any(part.is_alpha for part in own.components):
        notes.append("its transparency is not kept")
    return notes
