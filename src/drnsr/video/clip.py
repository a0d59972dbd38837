"""A video file that is open for reading its frames."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from drnsr.video.decoding import (
    Damage,
    TimedFrame,
    decode_packets,
    deinterlace,
    sort_stamps,
    timed_frames,
)
from drnsr.video.probe import CLOCKED, ClipInfo, open_media, read_info, video_stream

# A video whose last frame is so many seconds before its stated end is incomplete.
_MISSING_SECONDS = 0.5


@dataclass(frozen=True)
class Known:
    """What an earlier reading found up to a frame.

    Attributes:
        pts: the time stamp of the frame.
        damage: what was wrong up to it.
    """

    pts: int
    damage: Damage


@dataclass
class Clip:
    """An open video.

    Attributes:
        path: its file.
        container: the same, open.
        stream: the stream that is upscaled.
        info: its properties.
        damage: what was wrong so far.
    """

    path: Path
    container: InputContainer
    stream: VideoStream
    info: ClipInfo
    damage: Damage = field(default_factory=Damage)

    def frames(
        self, after: int | None = None, known: Known | None = None, *, deinterlaced: bool = False
    ) -> Iterator[TimedFrame]:
        """Read the frames from the beginning, or those after one.

        Args:
            after: the time stamp of a frame; None for all. Reading begins at a key frame before
                it, so that the frames are those of a reading from the beginning.
            known: what is known of the clip up to a frame, that of ``after`` or a later one.
            deinterlaced: whether to deinterlace.
        """
        # Time stamps that are made here follow from all frames before.
        is_mended = known is not None and known.damage.mended > 0
        is_exact = not (is_mended or self.info.is_disordered)
        if after is not None and is_exact and self._seek(after):
            frames = self._read(deinterlaced=deinterlaced)
            first = next(frames, None)
            if first is not None and first.pts <= after:
                frames = chain([first], frames)
                yield from self._after(frames, after, known)
                return
        self._rewind()
        yield from self._after(self._read(deinterlaced=deinterlaced), after, known)

    def _after(
        self, frames: Iterator[TimedFrame], after: int | None, known: Known | None
    ) -> Iterator[TimedFrame]:
        for each in frames:
            if known is not None and each.pts <= known.pts:  # it has been counted
                self.damage.become(known.damage)
            if after is None or each.pts > after:
                yield each

    def _read(self, *, deinterlaced: bool) -> Iterator[TimedFrame]:
        self.damage = Damage()
        frames = decode_packets(self.container, self.stream)
        if self.info.is_disordered:
            frames = sort_stamps(frames)
        if deinterlaced:
            frames = deinterlace(frames, self.info.time_base)
        size = self.info.width, self.info.height
        typical = round(1 / self.info.rate / self.info.time_base)
        return timed_frames(frames, size, typical, self.damage, deinterlaced=deinterlaced)

    def _seek(self, stamp: int) -> bool:
        try:
            self.container.seek(stamp, stream=self.stream)
        except av.FFmpegError:
            return False
        return True

    def _rewind(self) -> None:
        """Go back to the first frame, also in a file without an index."""
        self.container.close()
        self.container = open_media(self.path)
        self.stream = video_stream(self.container)

    def shortfall(self, seconds: float) -> str:
        """Return a sentence if the clip ended before the end that its file states; else "".

        Args:
            seconds: from its first frame to its last one.
        """
        stated = self.info.duration
        if stated is None or self.container.format.name in CLOCKED:
            return ""
        if seconds >= stated - _MISSING_SECONDS - 2 / self.info.rate:
            return ""
        return f"its pictures end after {seconds:.1f} s of the {stated:.1f} that the file states"

    def notes(self) -> list[str]:
        """Return what of the clip could not be read as it should, and what is not written."""
        return [*self.damage.notes(), *(f"{text} is not kept" for text in self.info.lost)]


@contextmanager
def open_clip(path: Path) -> Iterator[Clip]:
    """Open a video, and find its properties.

    Raises:
        VideoError: see :func:`drnsr.video.probe.open_media`,
            :func:`drnsr.video.probe.video_stream` and :func:`drnsr.video.probe.read_info`.
    """
    container = open_media(path)
    clip = None
    try:
        stream = video_stream(container)
        clip = Clip(path, container, stream, read_info(container, stream))
        yield clip
    finally:
        (clip.container if clip else container).close()
