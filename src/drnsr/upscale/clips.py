"""Upscaling of one video file into another."""

import errno
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from drnsr.images.picture import concatenate_rows, from_array
from drnsr.inference.channels import check_bands
from drnsr.inference.tiling import Advance
from drnsr.upscale.files import UpscaleSpec, naming_file, upscale_rows
from drnsr.upscale.models import ModelAtScale
from drnsr.upscale.progress import FrameCount, JobReport
from drnsr.video.clip import Clip, Known, open_clip
from drnsr.video.codecs import Encoding, choose_encoding
from drnsr.video.colour import Colours
from drnsr.video.files import VideoError, container_of
from drnsr.video.muxing import Written, write_video
from drnsr.video.probe import ClipInfo, reason
from drnsr.video.segments import Parts, PartsWriter, Stamp, parts_of
from drnsr.video.temporal import FRAMES_BEFORE, TemporalMean
from drnsr.video.threads import read_ahead, write_behind

# The disk, the user's share of it, or the largest file.
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# The side of a tile on a CPU if no two frames may wait.
LARGE_FRAME_TILE = 320

# Two frames wait between two threads, or none if they were larger.
WAITING_BYTES = 60e6

_TimedPixels = tuple[NDArray[Any], Stamp]


@dataclass(frozen=True)
class ClipPlan:
    """How a clip is upscaled.

    Attributes:
        info: the source.
        model: upscales its frames.
        size: (width, height) of the upscaled frames.
        encoding: of the result.
        container: of the result.
    """

    info: ClipInfo
    model: ModelAtScale
    size: tuple[int, int]
    encoding: Encoding
    container: str

    @property
    def aspect(self) -> Fraction | None:
        """Width by height of a pixel of the result: the picture keeps its shape."""
        aspect, info = self.info.aspect, self.info
        x, y = Fraction(self.size[0], info.width), Fraction(self.size[1], info.height)
        is_uniform = abs(x / y - 1) < Fraction(1, min(self.size))  # rounding alone
        if is_uniform:
            return aspect
        return ((aspect or 1) * y / x).limit_denominator(1000)

    @property
    def display_matrix(self) -> tuple[int, ...] | None:
        """The display matrix of the result: a translation is in pixels."""
        matrix = self.info.display_matrix
        if matrix is None:
            return None
        x, y = self.size[0] / self.info.width, self.size[1] / self.info.height
        return (*matrix[:6], round(matrix[6] * x), round(matrix[7] * y), matrix[8])


def plan_clip(clip: Clip, target: Path, spec: UpscaleSpec) -> ClipPlan:
    """Determine how a clip is upscaled.

    Raises:
        VideoError: it is interlaced, is to be consistent, or no encoder of the container keeps its
            bits.
        UserError: see :meth:`UpscaleSpec.model_for`.
    """
    info = clip.info
    if info.is_interlaced and not spec.clips.deinterlace:
        raise VideoError("its frames are interlaced: take --deinterlace")
    if spec.consistent:
        raise VideoError("videos are written with a loss, and so are not consistent")
    model = spec.model_for(info.width, info.height)
    pixels = np.zeros((1, 1, 3), info.dtype)
    check_bands(model.tiling.engine.descriptor, from_array(pixels))
    size = spec.output_size.for_picture(info.width, info.height)
    container = container_of(target)
    if container is None:
        raise VideoError(f"{target.name} has the suffix of no container that is written")
    encoding = choose_encoding(info, size, spec.clips, container)
    return ClipPlan(info, model, size, encoding, container)


def upscale_clip(source: Path, target: Path, spec: UpscaleSpec, report: JobReport) -> None:
    """Upscale a video into another, which is complete or does not exist.

    Finished parts stay beside the target if the work is interrupted, and the next call for the same
    target goes on behind them.

    Args:
        source: the video.
        target: the file to write; its suffix determines the container.
        spec: how to upscale it.
        report: see :data:`JobReport`.

    Raises:
        ImageError: the source cannot be read or upscaled in this way; the message names it.
        OSError: the target cannot be written.
    """

    def note(text: str) -> None:
        report(f"{source}: {text}")

    with naming_file(source), _ffmpeg_errors(target), open_clip(source) as clip:
        plan = plan_clip(clip, target, spec)
        for text in plan.encoding.notes:
            note(text)
        provenance = plan.model.provenance(plan.info.dtype)
        with parts_of(target) as parts:
            if parts.load(_settings(source, plan, spec, provenance)):
                note("an interrupted work on it was by other options, and begins again")
            if parts.finished:
                note(f"goes on after {parts.num_frames} frames that are there")
            _upscale_frames(clip, plan, spec, parts, report)
            if not parts.finished:
                raise VideoError("none of its frames can be decoded")
            written = Written(
                plan.container,
                plan.encoding.codec,
                plan.display_matrix,
                plan.aspect,
                provenance,
            )
            lost = write_video(target, clip, parts.finished, written)
            stamps = parts.finished[0].pts[0], parts.finished[-1].pts[-1]
            missing = clip.shortfall(float((stamps[1] - stamps[0]) * clip.info.time_base))
        for text in filter(None, [missing, *clip.notes(), *lost]):
            note(text)


@contextmanager
def _ffmpeg_errors(target: Path) -> Iterator[None]:
    """Let an error of FFmpeg name its reason, and the target if it cannot be written."""
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        if isinstance(error, OSError) and error.errno in _FULL_DISK:
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise VideoError(reason(error)) from error


def _settings(source: Path, plan: ClipPlan, spec: UpscaleSpec, provenance: str) -> dict[str, Any]:
    """Return what all parts of a result have in common."""
    status = source.stat()
    encoding = asdict(plan.encoding)
    del encoding["notes"]
    return {
        "source": [status.st_size, status.st_mtime_ns],
        "model": json.loads(provenance),
        "ensemble": plan.model.ensemble,
        "size": plan.size,
        "deinterlace": spec.clips.deinterlace,
        "temporal": spec.clips.temporal,
        "encoding": encoding,
    }


def _upscale_frames(
    clip: Clip, plan: ClipPlan, spec: UpscaleSpec, parts: Parts, report: JobReport
) -> None:
    """Decode, upscale and encode the frames that are not there, side by side."""
    colours, done = plan.info.colours(), parts.num_frames
    writer = PartsWriter(parts, plan.info, plan.encoding, colours, plan.aspect)
    start, count = time.perf_counter(), 0

    def write(item: _TimedPixels) -> None:
        writer.write(*item)

    steady = TemporalMean() if spec.clips.temporal else None
    written_until = parts.finished[-1].pts[-1] if parts.finished else None
    pixels_to_read = _pixels(clip, colours, parts, spec)
    value_bytes = np.dtype(plan.info.dtype).itemsize
    source_depth = _depth(plan.info.width, plan.info.height, value_bytes)
    with (
        closing(writer),
        read_ahead(pixels_to_read, source_depth) as frames,
        write_behind(write, writer.finish, _depth(*plan.size, value_bytes)) as put,
    ):
        for pixels, stamp in frames:
            enlarged = upscale_frame(pixels, plan, spec, report)
            if steady is not None:
                enlarged = steady(pixels, enlarged)
            if written_until is not None and stamp.pts <= written_until:
                continue  # it is there, and was needed for those that follow
            put((enlarged, stamp))
            count += 1
            seconds = time.perf_counter() - start
            report(FrameCount(done + count, plan.info.num_frames, count / seconds))
    seconds = time.perf_counter() - start
    if count:
        report(f"{clip.path}: {count} frames in {seconds:.1f} s, {count / seconds:.2f} a second")


def _depth(width: int, height: int, value_bytes: int) -> int:
    """Return how many frames of RGB wait between two threads."""
    return 2 if 2 * width * height * 3 * value_bytes <= WAITING_BYTES else 0


def _pixels(
    clip: Clip, colours: Colours, parts: Parts, spec: UpscaleSpec
) -> Iterator[_TimedPixels]:
    """Yield the frames that are not in the finished parts as RGB, and those they depend on."""
    after, known = None, None
    if parts.finished:
        last = parts.finished[-1]
        known = Known(last.pts[-1], last.damage)
        stamps = [stamp for part in parts.finished for stamp in part.pts]
        needed = FRAMES_BEFORE if spec.clips.temporal else 0
        after = stamps[-1 - needed] if needed < len(stamps) else None
    for each in clip.frames(after, known, deinterlaced=spec.clips.deinterlace):
        stamp = Stamp(each.pts, each.duration, each.frame.key_frame, each.damage)
        yield colours.to_rgb(each.frame), stamp


def upscale_frame(
    pixels: NDArray[Any], plan: ClipPlan, spec: UpscaleSpec, advance: Advance
) -> NDArray[Any]:
    """Upscale a frame of RGB pixels (H, W, 3), uint8 or uint16 in the full range."""
    is_large = _depth(*plan.size, pixels.itemsize) == 0
    limited = plan.model.tiling.limited_to(LARGE_FRAME_TILE) if is_large else nullcontext()
    with limited:
        height, width, rows = upscale_rows(from_array(pixels), plan.model, spec, advance)
        return concatenate_rows(rows, (height, width, 3), pixels.dtype)


def describe_clip(source: Path, target: Path, spec: UpscaleSpec) -> tuple[str, str, str]:
    """Return the size of a video, of its result, and the name of the model.

    Raises:
        ImageError: see :func:`upscale_clip`.
    """
    with naming_file(source), _ffmpeg_errors(target), open_clip(source) as clip:
        plan = plan_clip(clip, target, spec)
    info, encoding = plan.info, plan.encoding
    frames = f" ({info.num_frames or 'unknown number of'} frames)"
    after = f"{encoding.width} x {encoding.height} ({encoding.codec}, {encoding.pixel_format})"
    return f"{info.width} x {info.height}{frames}", after, plan.model.file.stem
