"""The written video: the encoded frames, and all else that the source holds."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Stream

from drnsr.atomic import atomic_path
from drnsr.video.clip import Clip
from drnsr.video.files import CONTAINERS
from drnsr.video.probe import CLOCKED, is_cover, open_media, reason
from drnsr.video.segments import Part

COMMENT_MARK = "drnsr: "
"""What stands before the provenance in the comment of a written video."""

# What a container writes by itself, or what was true of the source's streams alone.
_OWN_TAGS = frozenset(
    (
        *("encoder", "major_brand", "minor_version", "compatible_brands", "vendor_id"),
        *("duration", "bps", "number_of_frames", "number_of_bytes"),
    )
)
_STATISTICS = "_statistics_"

_COVERS = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}


@dataclass(frozen=True)
class Written:
    """What a written video has beside its frames.

    Attributes:
        container: a key of :data:`drnsr.video.files.CONTAINERS`.
        codec: a key of :data:`drnsr.video.codecs.CODECS`.
        display_matrix: nine numbers, or None.
        aspect: width by height of a pixel, or None.
        provenance: a text.
    """

    container: str
    codec: str
    display_matrix: tuple[int, ...] | None
    aspect: Fraction | None
    provenance: str


def write_video(target: Path, clip: Clip, parts: list[Part], written: Written) -> list[str]:
    """Write the parts and the other streams of a source into one file, whole or not at all.

    Sound, subtitles, attachments, chapters and texts are copied without a change.

    Args:
        target: the file.
        clip: the source.
        parts: of all its frames.
        written: what else the file gets.

    Returns:
        What the file does not hold, a sentence each.

    Raises:
        OSError: the file cannot be written.
    """
    container = CONTAINERS[written.container]
    with (
        atomic_path(target) as partial,
        open_media(clip.path) as source,
        av.open(f"file:{partial}", "w", format=container.muxer) as out,
        open_media(parts[0].file) as first,
    ):
        video = out.add_stream_from_template(first.streams.video[0], opaque=True)
        video.time_base = clip.info.time_base
        own = source.streams[clip.stream.index]
        _copy_tags(video, own)
        if written.aspect is not None:
            video.codec_context.sample_aspect_ratio = written.aspect
        if written.display_matrix is not None:
            video.set_display_matrix(written.display_matrix)
        if container.muxer in ("mp4", "mov") and video.codec_context.name == "hevc":
            video.codec_context.codec_tag = "hvc1"  # Apple's players want it
        others = _Others(source, out, own, container.muxer, written.codec)
        out.metadata.update(_texts(source.metadata, written.provenance))
        if source.chapters():
            out.set_chapters(source.chapters())
        _mux(out, video, others, parts, clip)
    return others.notes + _aspect_note(written)


def read_comment(path: Path) -> str | None:
    """Return the provenance that :func:`write_video` stored in a video; None if there is none.

    Raises:
        VideoError: it cannot be read.
    """
    with open_media(path) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
    return tags.get("comment", "").partition(COMMENT_MARK)[2] or None


def _aspect_note(written: Written) -> list[str]:
    in_stream = written.codec in ("h264", "hevc")
    is_kept = written.aspect in (None, 1) or in_stream
    if is_kept or CONTAINERS[written.container].holds_aspect:
        return []
    return [
        f"the shape of its pixels, {written.aspect}, is not kept by {written.container} with"
        f" {written.codec}: take --codec hevc or --container mp4"
    ]


def _mux(
    out: OutputContainer, video: Stream, others: "_Others", parts: list[Part], clip: Clip
) -> None:
    time_base = clip.info.time_base
    shift = _shift(clip, parts)
    ticks = round(shift / time_base)
    out.start_encoding()
    packets = others.packets(shift)
    waiting = next(packets, None)
    for packet in _video_packets(parts, clip):
        packet.stream = video
        packet.time_base = time_base
        assert packet.pts is not None
        assert packet.dts is not None
        packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
        now = packet.dts * time_base
        while waiting is not None and waiting[0] <= now:
            others.mux(waiting[1])
            waiting = next(packets, None)
        out.mux(packet)
    while waiting is not None:
        others.mux(waiting[1])
        waiting = next(packets, None)


def _shift(clip: Clip, parts: list[Part]) -> Fraction:
    """Return what is added to all times, in seconds.

    No container here begins before zero, and what begins anywhere is made to begin at zero.
    """
    first = parts[0].pts[0] * clip.info.time_base
    start = clip.container.start_time
    if clip.container.format.name in CLOCKED and start is not None:
        return -min(first, Fraction(start, av.time_base))
    return max(Fraction(0), -first)


def _video_packets(parts: list[Part], clip: Clip) -> "Iterator[Packet[Any]]":
    """Yield the packets with the times of the source.

    A packet is decoded at the time of the frame that is displayed at its place, less the largest
    delay by which the encoder orders frames anew.
    """
    stamps = list(chain.from_iterable(part.pts for part in parts))
    delay = max(place - frame for part in parts for place, frame in enumerate(part.order))
    usual = max(1, round(1 / clip.info.rate / clip.info.time_base))
    first = place = 0
    for part in parts:
        with open_media(part.file) as container:
            stored = (each for each in container.demux(container.streams.video[0]) if each.size)
            for packet, number in zip(stored, part.order, strict=True):
                frame = first + number
                packet.pts = stamps[frame]
                before = place - delay
                packet.dts = stamps[before] if before >= 0 else stamps[0] + before * usual
                is_last = frame + 1 == len(stamps)
                packet.duration = (
                    part.duration or usual if is_last else stamps[frame + 1] - stamps[frame]
                )
                place += 1
                yield packet
        first += len(part.pts)


def _texts(tags: dict[str, str], provenance: str) -> dict[str, str]:
    """Return the texts of a file with the provenance in its comment."""
    kept = _without_own(tags)
    comment = kept.pop("comment", kept.pop("COMMENT", "")).partition(COMMENT_MARK)[0].strip()
    return kept | {"comment": f"{comment} {COMMENT_MARK}{provenance}".strip()}


def _without_own(tags: dict[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in tags.items()
        if key.lower() not in _OWN_TAGS and not key.lower().startswith(_STATISTICS)
    }


def _copy_tags(to: Stream, source: Stream) -> None:
    to.metadata.update(_without_own(source.metadata))
    to.disposition = source.disposition


@dataclass
class _Others:
    """The streams beside the video.

    Attributes:
        source: the source.
        out: the written file.
        own: the stream that was upscaled.
        muxer: FFmpeg's name of the format of the written file.
        codec: of the upscaled frames, a key of :data:`drnsr.video.codecs.CODECS`.
        notes: sentences about what is not kept.
    """

    source: InputContainer
    out: OutputContainer
    own: Stream
    muxer: str
    codec: str
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._streams: dict[int, Stream] = {}
        self._last: dict[int, int] = {}
        for stream in self.source.streams:
            if stream.index != self.own.index:
                self._add(stream)

    def _add(self, stream: Stream) -> None:
        name = _describe(stream)
        if stream.type == "video" and not is_cover(stream):
            self.notes.append(f"{name} is not kept: one video is upscaled")
        elif isinstance(stream, AttachmentStream) and self.muxer == "matroska":
            title = stream.metadata.get("filename", f"attachment{stream.index}")
            mimetype = stream.mimetype or "application/octet-stream"
            self.out.add_attachment(title, mimetype, stream.data)
        elif is_cover(stream) and self.muxer == "matroska":
            self._attach_cover(stream)
        elif _holds(self.muxer, stream):
            copied = self.out.add_stream_from_template(stream, opaque=True)
            _copy_tags(copied, stream)
            self._streams[stream.index] = copied
        else:
            self.notes.append(f"{name} is not kept by {self.muxer}{self._advice(stream)}")

    def _advice(self, stream: Stream) -> str:
        """Name a container that holds a stream as well as the upscaled one."""
        names = (
            name
            for name, each in CONTAINERS.items()
            if self.codec in each.codecs and _holds(each.muxer, stream)
        )
        name = next(names, None)
        return f": --container {name} keeps it" if name else ", nor by any other container"

    def _attach_cover(self, stream: Stream) -> None:
        """Attach a cover picture: in Matroska it is no stream."""
        codec = stream.codec_context.name
        name, mimetype = _COVERS.get(codec, (f"cover.{codec}", f"image/{codec}"))
        with open_media(Path(self.source.name.removeprefix("file:"))) as source:
            packet = next(source.demux(source.streams[stream.index]))
            self.out.add_attachment(name, mimetype, bytes(packet))

    def packets(self, shift: Fraction) -> "Iterator[tuple[Fraction, Packet[Any]]]":
        """Yield the packets of all streams with the times at which they are decoded."""
        if not self._streams:
            return
        streams = [self.source.streams[index] for index in self._streams]
        try:
            for packet in self.source.demux(streams):
                if not packet.size:
                    continue  # it marks the end
                index = packet.stream.index
                if packet.is_corrupt:
                    self._note(f"{_describe(packet.stream)}: parts are damaged")
                if is_cover(packet.stream):
                    packet.pts = packet.dts = 0
                ticks = round(shift / packet.time_base)
                packet.pts = None if packet.pts is None else packet.pts + ticks
                packet.dts = (packet.pts or 0) if packet.dts is None else packet.dts + ticks
                if packet.dts < self._last.get(index, packet.dts):
                    self._note_broken(index)
                    continue
                self._last[index] = packet.dts
                yield packet.dts * packet.time_base, packet
        except av.FFmpegError as error:
            self.notes.append(f"sound and subtitles end early: {reason(error)}")

    def mux(self, packet: "Packet[Any]") -> None:
        """Write a packet; what the container refuses is noted."""
        index = packet.stream.index
        packet.stream = self._streams[index]
        try:
            self.out.mux(packet)
        except av.error.ArgumentError:
            self._note_broken(index)
        except av.error.InvalidDataError:
            self._note_broken(index)

    def _note_broken(self, index: int) -> None:
        stream = self.source.streams[index]
        self._note(f"{_describe(stream)}: parts out of order are left out")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _describe(stream: Stream) -> str:
    context: Any = stream.codec_context
    codec = f" ({context.name})" if context is not None else ""
    return f"{stream.type} stream {stream.index}{codec}"


def _holds(muxer: str, stream: Stream) -> bool:
    """Return whether a format holds a stream, by writing a header with it alone."""
    try:
        with av.open(io.BytesIO(), "w", format=muxer) as out:
            copied = out.add_stream_from_template(stream, opaque=True)
            copied.disposition = stream.disposition
            out.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True
