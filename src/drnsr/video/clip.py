"""A video file that is open for reading its frames."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from drnsr.video.probe import ClipInfo, open_media, read_info, video_stream

# A video whose last frame is so many seconds before its stated end is incomplete.
_MISSING_SECONDS = 0.5


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
        self, after: int | None = None, damage: Damage | None = None, *, deinterlaced: bool = False
    ) -> Iterator[TimedFrame]:
        """Read the frames from the beginning, or those after one.

        Args:
            after: the time stamp of a frame; None for all. Reading begins at a key frame before
                it, so that the frames are those of a reading from the beginning.
            damage: what was wrong up to that frame.
            deinterlaced: whether to deinterlace.
        """
        known = damage or Damage()
        # Time stamps that are made here follow from all frames before.
        is_exact = not (known.mended or self.info.is_disordered)
        if after is not None and is_exact and self._seek(after):
            frames = self._read(deinterlaced=deinterlaced)
            first = next(frames, None)
            if first is not None and first.pts <= after:
                self.damage.become(known)
                yield from self._after(frames, after, known)
                return
        self._rewind()
        yield from self._after(self._read(deinterlaced=deinterlaced), after, known)

    def _after(
        self, frames: Iterator[TimedFrame], after: int | None, known: Damage
    ) -> Iterator[TimedFrame]:
        for each in frames:
            if after is None or each.pts > after:
                yield each
            else:  # it has been counted
                self.damage.become(known)

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
        if stated is None or seconds >= stated - _MISSING_SECONDS - 2 / self.info.rate:
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
