"""What a video file states about its pictures, found from its header and its first frames."""

import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from drnsr.images.codec import check_size
from drnsr.video.colour import MATRICES, Colours, Matrix, matrix_of, range_of
from drnsr.video.decoding import decode_packets, side_data
from drnsr.video.files import VideoError
from drnsr.video.hdr import Hdr10, read_hdr10

_PROBED = 8  # frames
_THREADS = 4  # each frame thread of a decoder keeps frames

# A rate outside of this is that of a clock, not of frames; encoders need one for their decisions.
_USUAL_RATES = (Fraction(1, 60), Fraction(480))
_DEFAULT_RATE = Fraction(25)

CLOCKED = ("mpegts", "mpeg")
"""Formats whose clock begins anywhere, and which do not state how long they are."""

# Their duration is that from the time zero, not from the first frame.
_FROM_ZERO = ("matroska", "flv")

_HD_WIDTH, _HD_HEIGHT = 1280, 577

_LOST_SIDE_DATA = {
    "DYNAMIC_HDR_PLUS": "the dynamic metadata of HDR10+",
    "DOVI_METADATA": "Dolby Vision",
    "A53_CC": "closed captions within the frames",
    "STEREO3D": "the arrangement of stereo views",
    "SPHERICAL": "the spherical projection",
}


@dataclass(frozen=True)
class ClipInfo:
    """The properties of the pictures of a clip.

    Attributes:
        width: in pixels.
        height: in pixels.
        codec: FFmpeg's name, such as h264.
        pixel_format: FFmpeg's name, such as yuv420p10le.
        bits: of a channel.
        matrix: from RGB to YUV; that of BT.601 or BT.709, by the size, if the clip does not say.
        full_range: whether black is 0 and white the largest value of YUV.
        primaries: the number of the standard, 2 if unknown.
        transfer: likewise.
        aspect: width by height of a pixel; None if the clip does not say.
        display_matrix: nine numbers that turn or mirror the frames for display; None for none.
        rate: frames per second on average, within the usual.
        time_base: the unit of time stamps in seconds.
        num_frames: as the file states or as follows from its duration; 0 if it does not say.
        duration: of the pictures in seconds; None if the file does not say.
        is_interlaced: whether one of the first frames is.
        is_disordered: whether the time stamps of the first frames are in another order, as in AVI.
        hdr10: the static metadata of HDR10.
        lost: what belongs to the frames and is not written.
    """

    width: int
    height: int
    codec: str
    pixel_format: str
    bits: int
    matrix: Matrix
    full_range: bool
    primaries: int
    transfer: int
    aspect: Fraction | None
    display_matrix: tuple[int, ...] | None
    rate: Fraction
    time_base: Fraction
    num_frames: int
    duration: float | None
    is_interlaced: bool
    is_disordered: bool
    hdr10: Hdr10
    lost: tuple[str, ...]

    @property
    def is_deep(self) -> bool:
        """Whether a channel has more than 8 bits."""
        return self.bits > 8

    @property
    def dtype(self) -> type[np.unsignedinteger[Any]]:
        """The type of the frames as RGB."""
        return np.uint16 if self.is_deep else np.uint8

    @property
    def is_turned(self) -> bool:
        """Whether a player exchanges width and height."""
        matrix = self.display_matrix
        return matrix is not None and abs(matrix[1]) > abs(matrix[0])

    def upright(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Return the pixels of a frame (H, W, C) turned and mirrored as a player shows them."""
        if self.display_matrix is None:
            return pixels
        a, b, _, c, d = self.display_matrix[:5]  # x' = a x + c y and y' = b x + d y
        right, down = (c, b) if self.is_turned else (a, d)
        shown = pixels.transpose(1, 0, 2) if self.is_turned else pixels
        return np.ascontiguousarray(shown[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1])

    def colours(self) -> Colours:
        """Return a conversion between the frames and RGB."""
        return Colours(
            self.matrix,
            full_range=self.full_range,
            is_deep=self.is_deep,
            size=(self.width, self.height),
        )


def open_media(path: Path) -> InputContainer:
    """Open a media file.

    Raises:
        VideoError: it is damaged or no such file.
    """
    try:
        # "file:" keeps a name such as a:b.mp4 from being a protocol; no other file is opened.
        options = {"protocol_whitelist": "file"}
        return av.open(f"file:{path}", metadata_errors="replace", options=options)
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"not a video that can be read: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Return FFmpeg's reason of an error without the name of the file."""
    if isinstance(error, av.FFmpegError) and error.log and error.log[1]:
        return f"{error.strerror} ({error.log[1][2].strip()})"
    return getattr(error, "strerror", None) or str(error)


def is_cover(stream: Stream) -> bool:
    """Return whether a stream is the cover picture of a file, not a video."""
    return bool(stream.disposition & Disposition.attached_pic)


def video_stream(container: InputContainer) -> VideoStream:
    """Return the stream whose frames are upscaled: the default one, else the largest.

    Raises:
        VideoError: there is none, or nothing here decodes it.
    """
    videos = [each for each in container.streams.video if not is_cover(each)]
    if not videos:
        what = "a cover picture and sound" if container.streams.video else "no pictures"
        raise VideoError(f"a file with {what}, not a video")
    decoded = [each for each in videos if each.codec_context is not None]
    if not decoded:
        raise VideoError("nothing here decodes its pictures")

    def size(stream: VideoStream) -> tuple[bool, int]:
        is_default = bool(stream.disposition & Disposition.default)
        return is_default, stream.codec_context.width * stream.codec_context.height

    stream = max(decoded, key=size)
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.thread_count = _THREADS
    return stream


def read_info(container: InputContainer, stream: VideoStream) -> ClipInfo:
    """Find the properties of a clip; the position in the container is somewhere after that.

    Raises:
        VideoError: no frame can be decoded, or they are of a kind that cannot be upscaled.
    """
    frames: list[VideoFrame] = []
    for frame in decode_packets(container, stream):
        if frame is not None:
            frames.append(frame)
        if len(frames) == _PROBED:
            break
    if not frames:
        raise VideoError("a video of which no frame can be decoded")
    return _info(container, stream, frames)


def _info(container: InputContainer, stream: VideoStream, frames: list[VideoFrame]) -> ClipInfo:
    first = frames[0]
    check_size(first.width, first.height)
    bits = max(part.bits for part in first.format.components)
    if first.format.is_bayer or bits > 16:
        raise VideoError(f"frames of {first.format.name}, which cannot be upscaled")
    assert stream.time_base is not None
    rate = stream.average_rate or stream.guessed_rate or _DEFAULT_RATE
    if not _USUAL_RATES[0] <= rate <= _USUAL_RATES[1]:
        rate = _DEFAULT_RATE
    duration = _duration(container, stream, first)
    stamps = [frame.pts for frame in frames if frame.pts is not None]
    is_hd = first.width >= _HD_WIDTH or first.height >= _HD_HEIGHT
    aspect = stream.sample_aspect_ratio
    kinds = {each.type.name for frame in frames for each in side_data(frame)}
    return ClipInfo(
        width=first.width,
        height=first.height,
        codec=stream.codec_context.codec.canonical_name,
        pixel_format=first.format.name,
        bits=bits,
        matrix=MATRICES[1] if first.format.is_rgb else matrix_of(first, is_hd=is_hd),
        full_range=not first.format.is_rgb and range_of(first),
        primaries=int(first.color_primaries),
        transfer=int(first.color_trc),
        aspect=aspect if aspect else None,
        display_matrix=_display_matrix(first),
        rate=rate,
        time_base=stream.time_base,
        num_frames=stream.frames or round((duration or 0) * rate),
        duration=duration,
        is_interlaced=any(frame.interlaced_frame for frame in frames),
        is_disordered=stamps != sorted(stamps),
        hdr10=read_hdr10(first),
        lost=tuple(text for kind, text in _LOST_SIDE_DATA.items() if kind in kinds),
    )


def _duration(container: InputContainer, stream: VideoStream, first: VideoFrame) -> float | None:
    """Return the seconds from the first frame to the end of the last one."""
    assert stream.time_base is not None
    begin = float((first.pts or 0) * stream.time_base)
    if (end := _tagged_end(stream)) is not None:
        return max(0.0, end - begin)
    if stream.duration is not None:
        start, seconds = stream.start_time, float(stream.duration * stream.time_base)
        return seconds if start is None else seconds - max(0.0, begin - start * stream.time_base)
    if container.duration is None:
        return None
    is_from_zero = container.format.name.startswith(_FROM_ZERO)
    first_of_all = 0 if is_from_zero else (container.start_time or 0) / av.time_base
    return container.duration / av.time_base - max(0.0, begin - first_of_all)


def _tagged_end(stream: VideoStream) -> float | None:
    """Return the end of the pictures in seconds as a tag of Matroska states it, such as 0:01:00."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if match is None:
        return None
    hours, minutes, seconds = map(float, match.groups())
    return hours * 3600 + minutes * 60 + seconds


def _display_matrix(frame: VideoFrame) -> tuple[int, ...] | None:
    found = [each for each in side_data(frame) if each.type.name == "DISPLAYMATRIX"]
    if not found:
        return None
    numbers = struct.unpack("=9i", bytes(found[0])[:36])
    return None if numbers == _IDENTITY else numbers


_IDENTITY = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
