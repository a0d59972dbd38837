"""Comparison of an upscaled video with bicubic interpolation: a short clip, and a frame."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from drnsr.atomic import atomic_path
from drnsr.images.page import Metadata, Page
from drnsr.images.picture import concatenate_rows, from_array
from drnsr.images.resample import resize_rows
from drnsr.reporting.comparison import CropComparison, compare_page
from drnsr.upscale.files import UpscaleSpec, naming_file
from drnsr.video.clip import Clip, open_clip
from drnsr.video.colour import MATRICES, Colours

_SECONDS = 2
_MOST_FRAMES = 60
_LINE = 2  # pixels between both halves
_OPTIONS = {"crf": "18", "bf": "0"}  # reordered frames would need durations

_TimedPixels = tuple[NDArray[Any], Fraction]  # and the time in seconds


def compare_frame(source: Path, spec: UpscaleSpec) -> CropComparison:
    """Compare the most detailed crop of the frame in the middle of a video.

    Raises:
        ImageError: see :func:`drnsr.upscale.clips.upscale_clip`.
    """
    with naming_file(source), open_clip(source) as clip:
        pixels, _ = next(_from_middle(clip, spec))
        at = f"the frame after {_middle(clip):.1f} s"
        return compare_page(source.name, Page(from_array(pixels), Metadata()), spec, at)


def write_side_by_side(path: Path, source: Path, result: Path, spec: UpscaleSpec) -> None:
    """Write a clip from the middle: bicubic interpolation on the left, the result on the right.

    Each side shows the middle half of the frames.

    Args:
        path: the file to write, .mp4.
        source: the video.
        result: the video upscaled.
        spec: how it was upscaled.

    Raises:
        ImageError: see :func:`drnsr.upscale.clips.upscale_clip`.
        OSError: the clip cannot be written.
    """
    with naming_file(source), open_clip(source) as before, open_clip(result) as after:
        count = min(_MOST_FRAMES, max(1, round(_SECONDS * before.info.rate)))
        pairs = zip(_from_middle(before, spec), _from_middle(after, spec), strict=False)
        frames = (
            (_side_by_side(small, large), time)
            for (small, time), (large, _) in islice(pairs, count)
        )
        with atomic_path(path) as partial:
            _encode(partial, frames, after)


def _middle(clip: Clip) -> float:
    """Return the time of the middle in seconds after the beginning."""
    return max(0.0, ((clip.info.duration or 0) - _SECONDS) / 2)


def _from_middle(clip: Clip, spec: UpscaleSpec) -> Iterator[_TimedPixels]:
    """Yield the frames from the middle, upright, as RGB of 8 bits or, of a deep clip, of 16."""
    info, colours = clip.info, clip.info.colours()
    deinterlaced = spec.clips.deinterlace
    first = next(clip.frames(deinterlaced=deinterlaced)).pts
    middle = _middle(clip)
    # Half a frame before, as the times of the result may be rounded.
    after = first + round((Fraction(middle) - 1 / info.rate / 2) / info.time_base)
    for each in clip.frames(after if middle else None, deinterlaced=deinterlaced):
        yield info.upright(colours.to_rgb(each.frame)), each.pts * info.time_base


def _side_by_side(small: NDArray[Any], large: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the middle halves of a frame that bicubic interpolation enlarges, and of the other."""
    height, width = large.shape[:2]
    rows = resize_rows([small], small.shape[:2], (height, width))
    bicubic = concatenate_rows(rows, (height, width, 3), small.dtype)
    half = slice(width // 4, width // 4 + (width - _LINE) // 2)
    line = np.full((height, _LINE, 3), 255, np.uint8)
    return np.concatenate([_bits8(bicubic[:, half]), line, _bits8(large[:, half])], axis=1)


def _bits8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels


def _encode(path: Path, frames: Iterator[_TimedPixels], clip: Clip) -> None:
    """Encode frames as H.264 with the primaries and transfer of a clip."""
    colours = Colours(MATRICES[1], full_range=False, is_deep=False, size=(0, 0))
    with av.open(f"file:{path}", "w", format="mp4") as out:
        stream = None
        start = Fraction(0)
        for pixels, time in frames:
            height, width = (side - side % 2 for side in pixels.shape[:2])
            frame = colours.to_frame(pixels[:height, :width], "yuv420p")
            if stream is None:
                start = time
                stream = out.add_stream("libx264", rate=clip.info.rate, options=_OPTIONS)
                context = stream.codec_context
                context.width, context.height, context.pix_fmt = width, height, "yuv420p"
                context.time_base = clip.info.time_base
                context.colorspace, context.color_range = frame.colorspace, frame.color_range
                context.color_primaries = clip.info.primaries
                context.color_trc = clip.info.transfer
                if clip.info.aspect is not None:
                    turned = clip.info.is_turned
                    context.sample_aspect_ratio = (
                        1 / clip.info.aspect if turned else clip.info.aspect
                    )
            frame.pts = round((time - start) / clip.info.time_base)
            frame.time_base = clip.info.time_base
            out.mux(stream.encode(frame))
        if stream is not None:
            out.mux(stream.encode(None))
