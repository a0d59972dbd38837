"""The finished parts of an upscaled video, so that an interrupted work goes on behind them.

They lie in a folder beside the result. A part is a Matroska file with the encoded frames, which
begin with a key frame, and a JSON file with their time stamps; it counts when the latter is there.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from drnsr.atomic import write_text
from drnsr.video.codecs import Encoding
from drnsr.video.colour import Colours
from drnsr.video.decoding import Damage
from drnsr.video.files import PARTS_SUFFIX, VideoError
from drnsr.video.probe import ClipInfo

PART_FRAMES = 96
"""A part ends before the first key frame of the source after so many frames."""

MOST_PART_FRAMES = 192
"""It ends at the latest after so many frames."""

_SETTINGS = "settings.json"
# A packet is decoded so many frames before the time of its place; all times are positive with the
# offset.
_REORDERED, _OFFSET = 32, 100
_UNIT = Fraction(1, 1000)  # Matroska's; here it stands for a frame


@dataclass(frozen=True)
class Part:
    """A finished part.

    Attributes:
        file: the Matroska file.
        pts: the time stamps of its frames in the time base of the source, in order of display.
        order: the number of the frame in each of its packets.
        duration: of its last frame; 0 if it is not known.
        damage: what of the source up to its last frame could not be read as it should.
    """

    file: Path
    pts: list[int]
    order: list[int]
    duration: int
    damage: Damage


class Parts:
    """The folder of the finished parts of one result.

    Args:
        folder: the folder, which is there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.finished: list[Part] = []

    def load(self, settings: dict[str, Any]) -> bool:
        """Find the finished parts; those of another request or source are removed.

        Returns:
            Whether there were some of another one.
        """
        text = json.dumps(settings, sort_keys=True, indent=1)
        kept = self.folder / _SETTINGS
        is_other = kept.exists() and kept.read_text(encoding="utf-8") != text + "\n"
        if is_other:
            self._remove_files()
        write_text(kept, text + "\n")
        while (part := self._read(len(self.finished))) is not None:
            self.finished.append(part)
        return is_other

    def _remove_files(self) -> None:
        for file in self.folder.iterdir():
            if file.suffix in (".mkv", ".json"):
                file.unlink()

    def path(self, number: int) -> Path:
        """Return the file of a part."""
        return self.folder / f"{number:06}.mkv"

    def _read(self, number: int) -> Part | None:
        file = self.path(number)
        try:
            known = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
            if file.stat().st_size != known.pop("bytes"):
                return None
            return Part(file, damage=Damage(**known.pop("damage")), **known)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def finish(self, part: Part) -> None:
        """Count a part whose file is complete."""
        known = asdict(part) | {"bytes": part.file.stat().st_size}
        del known["file"]
        write_text(part.file.with_suffix(".json"), json.dumps(known) + "\n")
        self.finished.append(part)

    @property
    def num_frames(self) -> int:
        """The number of frames in all finished parts."""
        return sum(len(part.pts) for part in self.finished)


@contextmanager
def parts_of(target: Path) -> Iterator[Parts]:
    """Open the folder of the parts of a result; remove it if the result is there after the block.

    Raises:
        VideoError: another process writes the same result.
    """
    folder = target.with_name(target.name + PARTS_SUFFIX)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise VideoError(f"another process writes {target}: wait for it, or end it first") from None
    parts = Parts(folder)
    is_done = False
    try:
        yield parts
        is_done = True
    finally:
        lock.release()
        if is_done or not any(folder.glob("*.mkv")):
            shutil.rmtree(folder, ignore_errors=True)


class PartsWriter:
    """Encodes frames into parts.

    Args:
        parts: where to.
        info: the source.
        encoding: how.
        colours: of the source.
        aspect: width by height of a pixel of the result.
    """

    def __init__(
        self,
        parts: Parts,
        info: ClipInfo,
        encoding: Encoding,
        colours: Colours,
        aspect: Fraction | None,
    ) -> None:
        self._parts = parts
        self._info = info
        self._encoding = encoding
        self._colours = colours
        self._aspect = aspect
        self._part: _OpenPart | None = None

    def write(self, rgb: NDArray[Any], stamp: "Stamp") -> None:
        """Encode a frame of RGB pixels (H, W, 3)."""
        part = self._part
        if part is not None and (
            len(part.pts) >= MOST_PART_FRAMES or (len(part.pts) >= PART_FRAMES and stamp.is_key)
        ):
            self.finish()
        if self._part is None:
            path = self._parts.path(len(self._parts.finished))
            self._part = _OpenPart(path, self._info, self._encoding, self._aspect)
        height, width = self._encoding.height, self._encoding.width
        frame = self._colours.to_frame(rgb[:height, :width], self._encoding.pixel_format)
        self._part.encode(frame, stamp)

    def finish(self) -> None:
        """Finish the part that is being written."""
        if self._part is not None:
            self._parts.finish(self._part.finish())
            self._part = None

    def close(self) -> None:
        """Close and remove a part that is not finished."""
        if self._part is not None:
            self._part.abandon()
            self._part = None


@dataclass(frozen=True)
class Stamp:
    """What a part keeps of a frame beside its pixels; see :class:`TimedFrame`.

    Attributes:
        pts: its time stamp.
        duration: in the same unit.
        is_key: whether it is a key frame of the source.
        damage: of the source up to it.
    """

    pts: int
    duration: int
    is_key: bool
    damage: Damage


class _OpenPart:
    """A part that is being written. Its time unit is a frame; Matroska would round others."""

    def __init__(
        self, path: Path, info: ClipInfo, encoding: Encoding, aspect: Fraction | None
    ) -> None:
        self._path = path
        self._info = info
        self.pts: list[int] = []
        self._order: list[int] = []
        self._last: Stamp | None = None
        self._container = av.open(f"file:{path}", "w", format="matroska")
        self._stream = cast(
            VideoStream,
            self._container.add_stream(encoding.encoder, rate=info.rate, options=encoding.options),
        )
        context = self._stream.codec_context
        context.width, context.height = encoding.width, encoding.height
        context.pix_fmt = encoding.pixel_format
        context.time_base = 1 / info.rate
        context.thread_count = encoding.threads
        context.color_primaries, context.color_trc = info.primaries, info.transfer
        if aspect is not None:
            context.sample_aspect_ratio = aspect

    def encode(self, frame: VideoFrame, stamp: Stamp) -> None:
        context = self._stream.codec_context
        context_is_new = not self.pts
        if context_is_new:
            context.colorspace, context.color_range = frame.colorspace, frame.color_range
        frame.color_primaries, frame.color_trc = self._info.primaries, self._info.transfer
        frame.pts, frame.time_base = len(self.pts), context.time_base
        self.pts.append(stamp.pts)
        self._last = stamp
        self._mux(self._stream.encode(frame))

    def _mux(self, packets: "list[Packet[Any]]") -> None:
        for packet in packets:
            assert packet.pts is not None
            self._order.append(packet.pts)
            packet.pts += _OFFSET
            packet.dts = _OFFSET + len(self._order) - _REORDERED
            packet.time_base = _UNIT
            self._container.mux(packet)

    def finish(self) -> Part:
        """Write what the encoder still holds, and close the file.

        Raises:
            VideoError: the encoder did not return each frame once.
        """
        assert self._last is not None
        self._mux(self._stream.encode(None))
        self._container.close()
        if sorted(self._order) != list(range(len(self.pts))):
            name = self._stream.codec_context.name
            raise VideoError(f"{name} returned {len(self._order)} of {len(self.pts)} frames")
        return Part(self._path, self.pts, self._order, self._last.duration, self._last.damage)

    def abandon(self) -> None:
        """Close and remove the file."""
        with suppress(av.FFmpegError):
            self._container.close()
        self._path.unlink(missing_ok=True)
