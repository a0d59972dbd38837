"""The codecs of written videos: which encoder, pixel format and options a source gets."""

from collections.abc import Callable
from dataclasses import dataclass

import av

from drnsr.video.files import CODEC_NAMES, CONTAINERS, VideoError
from drnsr.video.hdr import Hdr10
from drnsr.video.memory import LIMIT_BYTES, bytes_beside_encoder
from drnsr.video.options import ClipOptions
from drnsr.video.probe import ClipInfo

# An encoder keeps frames to look ahead. They may take this much memory in bytes, whatever their
# size, and at least a few. Above 3840 x 2160 pixels of 8 bits it looks at no other frame.
_LOOKAHEAD_BYTES = 100e6
_LEAST_LOOKAHEAD = 5
LARGE_FRAME = 13e6

# A codec that needs less memory is named if it needs at most this part of it.
_WORTH_NAMING = 0.85

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
        pixel_bytes: its memory without looking ahead, in bytes for each pixel of a frame, with 8
            and with more bits, as measured by ``benchmarks/memory.py encoders``.
        least_side: of its frames, in pixels.
    """

    encoder: str
    crf: int | None
    max_crf: int
    options: Callable[[int | None, int, bool], dict[str, str]]
    pixel_bytes: tuple[int, int]
    least_side: int = 1


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
    if not lookahead:  # the preset 8 takes a half more memory
        return {"preset": "10", "crf": str(crf), "svtav1-params": "lp=1:pred-struct=1"}
    params = f"lp=2:lookahead={min(32, lookahead)}"
    return {"preset": "8", "crf": str(crf), "svtav1-params": params}


def _prores(_crf: int | None, _lookahead: int, is_full_chroma: bool) -> dict[str, str]:
    return {"profile": "4444" if is_full_chroma else "hq"}


CODECS = {
    "h264": Codec("libx264", 18, 51, _x264, (24, 43)),
    # x265 4.2 writes outside of its memory for frames that are smaller than its largest block.
    "hevc": Codec("libx265", 20, 51, _x265, (59, 87), least_side=64),
    "av1": Codec("libsvtav1", 24, 63, _svt, (24, 38)),
    "vp9": Codec("libvpx-vp9", 24, 63, _vpx, (75, 0)),
    "prores": Codec("prores_ks", None, 0, _prores, (9, 12)),
    "ffv1": Codec("ffv1", None, 0, lambda *_: {"level": "3", "slicecrc": "1"}, (38, 45)),
}
"""The values of ``--codec``."""

_HDR10_CODECS = ("hevc", "av1")

_PRORES_BITS, _DECODED_PRORES_BITS = 10, 12

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
    needs = _Memory(info, size, temporal=options.temporal)
    name = options.codec or _default_codec(info, held, min(size), needs)
    if name is None or not _formats(name, info.bits):
        advice = f"{name or container} holds fewer: take --codec hevc or ffv1 with --container mkv"
        raise VideoError(f"it has {info.bits} bits a channel, and {advice}")
    if options.crf is not None:
        _check_crf(name, options.crf)
    known = CODECS[name]
    if min(size) < known.least_side:
        raise VideoError(f"--codec {name}: the encoder takes {known.least_side} pixels and more")
    chosen = min(_formats(name, info.bits), key=lambda each: _loss(each, info))
    subsampled = av.VideoFormat(chosen, 4, 4)
    width = size[0] - (size[0] % 2 if subsampled.chroma_width(4) < 4 else 0)
    height = size[1] - (size[1] % 2 if subsampled.chroma_height(4) < 4 else 0)
    notes = _losses(name, chosen, info)
    if (width, height) != size:
        was, now = (f"{each[0]} x {each[1]}" for each in (size, (width, height)))
        notes.append(f"{was} pixels are cropped to {now}: {chosen} needs even sides")
    if options.codec is None and name != info.codec and info.codec in held:
        notes.append(_why_other(name, info, needs))
    if info.hdr10 != Hdr10() and name not in _HDR10_CODECS:
        kept_by = ", ".join(each for each in _HDR10_CODECS if each in held)
        notes.append(f"the static metadata of HDR10 is not kept (--codec {kept_by})")
    notes += needs.notes(name, [each for each in held if _formats(each, info.bits)])
    crf = options.crf if options.crf is not None else known.crf
    return Encoding(
        codec=name,
        encoder=known.encoder,
        pixel_format=chosen,
        width=width,
        height=height,
        options=_with_hdr10(
            known.options(crf, _lookahead(size, info), subsampled.chroma_width(4) == 4), info.hdr10
        ),
        threads=_THREADS,
        notes=tuple(notes),
    )


def _with_hdr10(options: dict[str, str], hdr10: Hdr10) -> dict[str, str]:
    """Add the metadata to the options of an encoder that writes it."""
    of_encoder = {"x265-params": hdr10.x265_params(), "svtav1-params": hdr10.svt_params()}
    return {name: text + of_encoder.get(name, "") for name, text in options.items()}


def _lookahead(size: tuple[int, int], info: ClipInfo) -> int:
    """Return how many frames an encoder may keep to look ahead."""
    frame_bytes = size[0] * size[1] * 1.5 * (2 if info.is_deep else 1)
    if frame_bytes > LARGE_FRAME:
        return 0
    return max(_LEAST_LOOKAHEAD, int(_LOOKAHEAD_BYTES / frame_bytes))


class _Memory:
    """What an upscaling needs with each codec.

    Args:
        info: the clip.
        size: (width, height) of its upscaled frames.
        temporal: whether frames are averaged over time.
    """

    def __init__(self, info: ClipInfo, size: tuple[int, int], *, temporal: bool) -> None:
        self._beside_encoder = bytes_beside_encoder(info, size, temporal=temporal)
        self._pixels = size[0] * size[1]
        self._is_deep = info.is_deep

    def bytes_with(self, codec: str) -> float:
        return self._beside_encoder + self._pixels * CODECS[codec].pixel_bytes[self._is_deep]

    def is_small(self, codec: str) -> bool:
        return self.bytes_with(codec) <= LIMIT_BYTES

    def notes(self, codec: str, others: list[str]) -> list[str]:
        """Return a sentence if a codec needs more than the limit, which names the least one."""
        if self.is_small(codec):
            return []
        text = f"needs about {self.bytes_with(codec) / 2**30:.1f} GiB of memory with {codec}"
        least = min(others, key=self.bytes_with)
        if self.bytes_with(least) < _WORTH_NAMING * self.bytes_with(codec):
            text += f", and {self.bytes_with(least) / 2**30:.1f} GiB with --codec {least}"
        return [text]


def _default_codec(info: ClipInfo, held: tuple[str, ...], side: int, needs: _Memory) -> str | None:
    """Return that of the source if it can be written with all bits, else a usual one.

    One that does not need too much memory goes first, unless its files are as large as ProRes.
    """
    order = _DEEP_DEFAULTS if info.is_deep else CODEC_NAMES
    names: list[str] = [
        name
        for name in (info.codec, *order)
        if name in held and side >= CODECS[name].least_side and _formats(name, info.bits)
    ]
    if names and CODECS[names[0]].crf is None:  # its files are large, and it was chosen for that
        return names[0]
    small = [name for name in names if needs.is_small(name) and CODECS[name].crf is not None]
    return next(iter(small + names), None)


def _why_other(name: str, info: ClipInfo, needs: _Memory) -> str:
    """Say why the codec of the source is not written although its container holds it."""
    if not _formats(info.codec, info.bits):
        why = f"is not written with {info.bits} bits here"
    elif not needs.is_small(info.codec):
        why = f"needs more memory for frames of this size (--codec {info.codec})"
    else:
        why = f"is written from {CODECS[info.codec].least_side} pixels on"
    return f"its codec becomes {name}: {info.codec} {why}"


def _formats(codec: str, bits: int) -> list[str]:
    """Return the formats of an encoder that hold so many bits, without alpha.

    FFmpeg decodes all ProRes 4444 with 12 bits and encodes it with 10, which are taken for all.
    """
    if codec == "prores" and bits <= _DECODED_PRORES_BITS:
        bits = min(bits, _PRORES_BITS)
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
    if _depth(other) < info.bits:
        notes.append(f"{codec} stores {_depth(other)} bits a channel (it has {info.bits})")
    if _sampling(other) < _sampling(own):
        notes.append(f"{codec} stores its chroma as {chosen} (it is {info.pixel_format})")
    if own.is_rgb and not other.is_rgb:
        notes.append(f"RGB is stored as {chosen} by BT.709")
    if any(part.is_alpha for part in own.components):
        notes.append("its transparency is not kept")
    return notes
