"""The frames of a stream in the order of display, each once, with its time stamp."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from heapq import heappop, heappush
from itertools import chain
from typing import Any, cast

import av
from av.container import InputContainer
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

# Encoders for AVI reorder so many frames at most.
_MOST_REORDERED = 4

# After so many failures to read on, what follows is given up.
_MAX_FAILURES = 20


def decode_packets(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame | None]:
    """Decode a stream from the position of its container.

    Yields:
        A frame; None for data that cannot be read or decoded.
    """
    failures = 0
    while failures < _MAX_FAILURES:
        try:
            for packet in container.demux(stream):
                try:
                    yield from packet.decode()
                except av.FFmpegError as error:
                    _raise_if_out_of_memory(error)
                    yield None
        except av.error.EOFError:
            return
        except av.FFmpegError as error:
            _raise_if_out_of_memory(error)
            failures += 1
            yield None
        else:
            return


def _raise_if_out_of_memory(error: av.FFmpegError) -> None:
    if isinstance(error, MemoryError):
        raise error


def side_data(frame: VideoFrame) -> list[Any]:
    """Return what a frame has beside its pixels; each item has a type and bytes."""
    return list(cast(Any, frame.side_data))  # PyAV's types do not know what it is


def sort_stamps(frames: Iterator[VideoFrame | None]) -> Iterator[VideoFrame | None]:
    """Give frames their time stamps in ascending order.

    AVI knows the order of decoding alone, and its stamps count the packets.
    """
    waiting: deque[VideoFrame | None] = deque()
    stamps: list[int] = []
    for frame in chain(frames, [None] * _MOST_REORDERED):
        waiting.append(frame)
        if frame is not None and frame.pts is not None:
            heappush(stamps, frame.pts)
        if len(waiting) > _MOST_REORDERED:
            yield _stamped(waiting.popleft(), stamps)


def _stamped(frame: VideoFrame | None, stamps: list[int]) -> VideoFrame | None:
    if frame is not None and frame.pts is not None:
        frame.pts = heappop(stamps)
    return frame


@dataclass(frozen=True)
class TimedFrame:
    """A frame with its time.

    Attributes:
        frame: its pixels.
        pts: its time stamp in the time base of the clip; larger than that of the frame before.
        duration: in the same unit; 0 if it is not known.
        damage: what of the clip up to here could not be read as it should.
    """

    frame: VideoFrame
    pts: int
    duration: int
    damage: "Damage"


@dataclass
class Damage:
    """What of a clip could not be read as it should.

    Attributes:
        undecoded: the number of packets that could not be read or decoded.
        corrupt: the number of frames of which the decoder says that parts are wrong.
        mended: the number of frames with a missing or wrong time stamp.
        interlaced: the number of interlaced frames that were taken as progressive.
        resized: the number of frames that had another size than the first.
    """

    undecoded: int = 0
    corrupt: int = 0
    mended: int = 0
    interlaced: int = 0
    resized: int = 0

    def become(self, other: "Damage") -> None:
        """Take the numbers of another one."""
        for field in fields(Damage):
            setattr(self, field.name, getattr(other, field.name))

    def notes(self) -> list[str]:
        """Return a sentence for each kind."""
        texts = (
            (self.undecoded, "packets could not be decoded, and are left out"),
            (self.corrupt, "frames are damaged, and were upscaled as the decoder mended them"),
            (self.mended, "frames had no time stamp that follows the one before, and got one"),
            (self.interlaced, "frames are interlaced among others (--deinterlace)"),
            (self.resized, "frames have another size, and were resized to that of the first"),
        )
        return [f"{number} {text}" for number, text in texts if number]


def timed_frames(
    frames: Iterator[VideoFrame | None],
    size: tuple[int, int],
    typical: int,
    damage: Damage,
    *,
    deinterlaced: bool,
) -> Iterator[TimedFrame]:
    """Give each frame a time stamp after that of the one before.

    Args:
        frames: of :func:`decode_packets`.
        size: (width, height) of the first frame.
        typical: the usual duration of a frame, in the time base.
        damage: counts what is wrong.
        deinterlaced: whether the frames have passed a deinterlacer.
    """
    last: int | None = None
    for frame in frames:
        if frame is None:
            damage.undecoded += 1
            continue
        stamp = frame.pts if frame.pts is not None else frame.dts
        is_mended = stamp is None or (last is not None and stamp <= last)
        if is_mended:
            stamp = 0 if last is None else last + max(1, typical)
        assert stamp is not None
        last = stamp
        damage.mended += is_mended
        damage.corrupt += frame.is_corrupt
        damage.interlaced += frame.interlaced_frame and not deinterlaced
        damage.resized += (frame.width, frame.height) != size
        yield TimedFrame(frame, stamp, frame.duration or 0, replace(damage))


def deinterlace(
    frames: Iterator[VideoFrame | None], time_base: Fraction
) -> Iterator[VideoFrame | None]:
    """Make interlaced frames progressive, by FFmpeg's bwdif: a frame for each, at its time."""
    graph: Graph | None = None
    kind: tuple[int, int, str] | None = None
    for frame in frames:
        if frame is None:
            yield None
            continue
        if (frame.width, frame.height, frame.format.name) != kind:
            if graph is not None:
                yield from _pulled(graph, None, time_base)
            kind = frame.width, frame.height, frame.format.name
            graph = _graph(frame, time_base)
        assert graph is not None
        frame.time_base = time_base
        yield from _pulled(graph, frame, time_base)
    if graph is not None:
        yield from _pulled(graph, None, time_base)


def _graph(frame: VideoFrame, time_base: Fraction) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=time_base
    )
    filtered = graph.add("bwdif", mode="send_frame", deint="interlaced")
    source.link_to(filtered)
    filtered.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


def _pulled(graph: Graph, frame: VideoFrame | None, time_base: Fraction) -> Iterator[VideoFrame]:
    graph.vpush(frame)
    while True:
        try:
            made = graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        if made.pts is not None and made.time_base is not None:
            made.pts = round(made.pts * made.time_base / time_base)
            made.time_base = time_base
        yield made
