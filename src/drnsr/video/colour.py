"""Conversion between the frames of a video and RGB, by the matrix and range of the video.

FFmpeg's swscale converts frames of 8 bits, exactly up to rounding. Its RGB of 16 bits has another
white (65280, or 65472 for 10 bits in full range), so for more bits it resamples the chroma alone,
and the matrix is applied here. So it is for gray frames, whose range swscale changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from drnsr.video.files import VideoError

_FLAGS = (
    Interpolation.BICUBIC
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.ACCURATE_RND
)


@dataclass(frozen=True)
class Matrix:
    """A matrix from RGB to YUV.

    Attributes:
        number: of ITU-T H.273, table 4.
        kr: the weight of red in luma.
        kb: the weight of blue in luma.
    """

    number: int
    kr: float
    kb: float


MATRICES = {
    each.number: each
    for each in (
        Matrix(1, 0.2126, 0.0722),  # BT.709
        Matrix(4, 0.30, 0.11),  # FCC
        Matrix(5, 0.299, 0.114),  # BT.601, 625 lines
        Matrix(6, 0.299, 0.114),  # BT.601, 525 lines
        Matrix(7, 0.212, 0.087),  # SMPTE 240M
        Matrix(9, 0.2627, 0.0593),  # BT.2020
    )
}
"""The matrices that are known here, by number."""

_BAND_ROWS = 256

_RGB, _UNKNOWN = 0, (2, 3)
_NAMES = {8: "YCgCo", 10: "BT.2020 with constant luminance", 14: "ICtCp"}


def matrix_of(frame: VideoFrame, *, is_hd: bool) -> Matrix:
    """Return the matrix of a frame of YUV.

    A video that does not say is taken as players take it: for BT.709 if it is large, else for
    BT.601.

    Raises:
        VideoError: its matrix is not one of :data:`MATRICES`.
    """
    number = int(frame.colorspace)
    if number in _UNKNOWN or number == _RGB:
        return MATRICES[1 if is_hd else 6]
    if number not in MATRICES:
        raise VideoError(
            f"its colours are {_NAMES.get(number, f'by matrix {number}')}, which is"
            " not known here: convert it to BT.709 first"
        )
    return MATRICES[number]


def range_of(frame: VideoFrame) -> bool:
    """Return whether a frame of YUV has the full range."""
    number = int(frame.color_range)
    if number == ColorRange.UNSPECIFIED:
        return frame.format.name.startswith("yuvj")
    return number == ColorRange.JPEG


class Colours:
    """Converts frames of a video to RGB, and RGB to frames of the same matrix and range.

    One thread may read while another one writes.

    Args:
        matrix: of the video.
        full_range: of the video.
        is_deep: whether RGB is uint16; else it is uint8.
        size: (width, height) of what is read; a frame of another size is resized.
    """

    def __init__(
        self, matrix: Matrix, *, full_range: bool, is_deep: bool, size: tuple[int, int]
    ) -> None:
        self._matrix = matrix
        self._full_range = full_range
        self._is_deep = is_deep
        self._size = size
        self._reader, self._writer = VideoReformatter(), VideoReformatter()

    def to_rgb(self, frame: VideoFrame) -> NDArray[Any]:
        """Return (H, W, 3) in the full range of uint8 or uint16."""
        if not frame.format.is_rgb:
            frame.colorspace = self._matrix.number
        frame.color_range = self._range(frame.format)
        if not self._is_deep and not _is_gray(frame.format):
            rgb: NDArray[Any] = self._reader.reformat(
                frame, *self._size, "rgb24", interpolation=_FLAGS, dst_color_range=ColorRange.JPEG
            ).to_ndarray()
            return rgb
        target = _planar(frame.format)
        planes = self._reader.reformat(frame, *self._size, target.name, interpolation=_FLAGS)
        pixels = np.empty(
            (planes.height, planes.width, 3), np.uint16 if self._is_deep else np.uint8
        )
        largest = np.float32(np.iinfo(pixels.dtype).max)
        for rows in _bands_of(planes.height):
            values = self._values(planes, rows)
            if target.is_rgb:
                values = values[:, :, (2, 0, 1)]  # from G, B, R
            elif not _is_gray(target):
                values = _yuv_to_rgb(values, self._matrix)
            pixels[rows] = (values * largest + np.float32(0.5)).clip(0, largest)
        return pixels

    def to_frame(self, rgb: NDArray[Any], pixel_format: str) -> VideoFrame:
        """Return a frame of RGB pixels (H, W, 3), uint8 or uint16, of even sides if need be."""
        target = VideoFormat(pixel_format, rgb.shape[1], rgb.shape[0])
        number = _RGB if target.is_rgb else self._matrix.number
        if rgb.dtype == np.uint8 and not _is_gray(target):
            frame = VideoFrame.from_numpy_buffer(np.ascontiguousarray(rgb), "rgb24")
            frame.colorspace, frame.color_range = self._matrix.number, ColorRange.JPEG
        else:
            frame = self._planes_of(rgb, _planar(target))
            frame.colorspace = number
            frame.color_range = self._range(target)
        frame = self._writer.reformat(
            frame,
            format=pixel_format,
            interpolation=_FLAGS,
            dst_color_range=self._range(target),
        )
        frame.colorspace, frame.color_range = number, self._range(target)
        return frame

    def _range(self, pixels: VideoFormat) -> ColorRange:
        return ColorRange.JPEG if self._full_range or pixels.is_rgb else ColorRange.MPEG

    def _values(self, frame: VideoFrame, rows: slice) -> NDArray[np.float32]:
        """Return rows of the planes of a frame (h, W, N): luma in 0..1, chroma in -0.5..0.5."""
        shape = (rows.stop - rows.start, frame.width, len(frame.planes))
        values = np.empty(shape, np.float32)
        for number, (low, span) in enumerate(self._levels(frame.format)):
            plane = _plane(frame, number)[rows]
            values[:, :, number] = (plane - np.float32(low)) / np.float32(span)
        return values

    def _planes_of(self, rgb: NDArray[Any], target: VideoFormat) -> VideoFrame:
        """Return a frame of planes in full resolution; the inverse of :meth:`to_rgb`."""
        frame = VideoFrame(rgb.shape[1], rgb.shape[0], target.name)
        white, largest = np.float32(np.iinfo(rgb.dtype).max), 2 ** _depth(target) - 1
        for rows in _bands_of(rgb.shape[0]):
            values = rgb[rows].astype(np.float32) / white
            values = values[:, :, (1, 2, 0)] if target.is_rgb else _rgb_to_yuv(values, self._matrix)
            for number, (low, span) in enumerate(self._levels(target)):
                levels = values[:, :, number] * np.float32(span) + np.float32(low + 0.5)
                _plane(frame, number)[rows] = levels.clip(0, largest)
        return frame

    def _levels(self, pixels: VideoFormat) -> list[tuple[float, float]]:
        """Return zero and the span of each plane (BT.709, section 4; BT.2020, table 5)."""
        largest, unit = 2 ** _depth(pixels) - 1, 2 ** (_depth(pixels) - 8)
        if pixels.is_rgb:
            return [(0, largest)] * 3
        full = self._full_range
        luma = (0, largest) if full else (16 * unit, 219 * unit)
        chroma = (128 * unit, largest if full else 224 * unit)
        return [luma] if _is_gray(pixels) else [luma, chroma, chroma]


def _bands_of(height: int) -> Iterator[slice]:
    """Yield bands of rows: floating-point values of a whole frame would take much memory."""
    for top in range(0, height, _BAND_ROWS):
        yield slice(top, min(top + _BAND_ROWS, height))


def _depth(pixels: VideoFormat) -> int:
    return max(part.bits for part in pixels.components)


def _is_gray(pixels: VideoFormat) -> bool:
    return len(pixels.components) < 3 and not pixels.has_palette


def _planar(pixels: VideoFormat) -> VideoFormat:
    """Return the format of as many bits with a plane for each component, in full resolution."""
    depth = _depth(pixels)
    end = f"{depth}le" if depth > 8 else ""
    name = "gray" if _is_gray(pixels) else "gbrp" if pixels.is_rgb else "yuv444p"
    return VideoFormat(name + end, pixels.width, pixels.height)


def _plane(frame: VideoFrame, number: int) -> NDArray[Any]:
    """Return a plane of a frame (H, W), which can be written to."""
    plane = frame.planes[number]
    dtype = np.dtype(np.uint16 if _depth(frame.format) > 8 else np.uint8)
    rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype.itemsize)  # type: ignore[call-overload]
    shown: NDArray[Any] = rows[: frame.height, : frame.width]
    return shown


def _yuv_to_rgb(yuv: NDArray[np.float32], matrix: Matrix) -> NDArray[np.float32]:
    """Convert by the equations of BT.709, item 3.3, solved for R, G and B."""
    kr, kb = np.float32(matrix.kr), np.float32(matrix.kb)
    luma, blue, red = (yuv[:, :, number] for number in range(3))
    rgb = np.empty_like(yuv)
    rgb[:, :, 0] = luma + 2 * (1 - kr) * red
    rgb[:, :, 2] = luma + 2 * (1 - kb) * blue
    rgb[:, :, 1] = (luma - kr * rgb[:, :, 0] - kb * rgb[:, :, 2]) / (1 - kr - kb)
    return rgb


def _rgb_to_yuv(rgb: NDArray[np.float32], matrix: Matrix) -> NDArray[np.float32]:
    kr, kb = np.float32(matrix.kr), np.float32(matrix.kb)
    red, green, blue = (rgb[:, :, number] for number in range(3))
    yuv = np.empty_like(rgb)
    yuv[:, :, 0] = kr * red + (1 - kr - kb) * green + kb * blue
    yuv[:, :, 1] = (blue - yuv[:, :, 0]) / (2 * (1 - kb))
    yuv[:, :, 2] = (red - yuv[:, :, 0]) / (2 * (1 - kr))
    return yuv
