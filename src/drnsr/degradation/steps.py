"""The steps of a degradation, whose parameters are drawn already.

A picture is (H, W, 3) or (H, W, 1) float32 of 0..255. OpenCV convolves, resizes and compresses.
Noise is made here: albumentations draws it from its own random generator, its shot noise is in
linear light, and it has no Poisson noise with Real-ESRGAN's scale.
"""

from dataclasses import dataclass
from math import degrees, pi
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from drnsr.degradation.kernels import Kernel, gaussian, plateau, sinc
from drnsr.degradation.parameters import KernelName, ResizeName
from drnsr.images.resize import cubic_kernel

Pixels = NDArray[np.float32]

# OpenCV's area averages when shrinking, and is bilinear when enlarging.
_INTERPOLATIONS: dict[ResizeName, int] = {
    "area": cv2.INTER_AREA,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
}

_CUBIC_REACH = 2  # LR pixels to either side


@dataclass(frozen=True)
class Sizes:
    """The sizes (height, width) of the picture that is degraded, and of the result."""

    hr: tuple[int, int]
    lr: tuple[int, int]


class Step(Protocol):
    """A step with all its parameters; ``str`` describes it."""

    def apply(self, pixels: Pixels, sizes: Sizes, random: np.random.Generator) -> Pixels:
        """Return the changed picture; ``random`` is for noise alone."""


@dataclass(frozen=True)
class KernelBlur:
    """A blur by a kernel of :mod:`drnsr.degradation.kernels`."""

    kernel: KernelName
    size: int
    sigma: tuple[float, float]
    angle: float
    beta: float

    def __str__(self) -> str:
        """Describe it."""
        family = self.kernel.partition("_")[0]
        shape = f", beta {self.beta:.1f}" if family in ("generalized", "plateau") else ""
        one, other = self.sigma
        sigma = f"{one:.1f}"
        if one != other:
            sigma += f" x {other:.1f} at {degrees(self.angle):.0f}°"
        name = {"generalized": "generalised Gaussian", "plateau": "plateau"}.get(family, "Gaussian")
        return f"{name} blur, sigma {sigma}{shape}"

    def apply(self, pixels: Pixels, sizes: Sizes, random: np.random.Generator) -> Pixels:
        """Blur."""
        family = plateau if self.kernel.startswith("plateau") else gaussian
        return _convolve(pixels, family(self.size, self.sigma, self.angle, self.beta))


@dataclass(frozen=True)
class SincFilter:
    """A low-pass filter, whose ringing is that of sharpened pictures."""

    size: int
    cutoff: float

    def __str__(self) -> str:
        """Describe it."""
        return f"sinc filter, {self.size} pixels, cut-off {self.cutoff / pi:.2f} pi"

    def apply(self, pixels: Pixels, sizes: Sizes, random: np.random.Generator) -> Pixels:
        """Filter."""
        return _convolve(pixels, sinc(self.size, self.cutoff))


@dataclass(frozen=True)
class RandomResize:
    """A resize to a factor of the original's size, or of the LR picture's."""

    factor: float
    relative_to: str
    kernel: ResizeName

    def __str__(self) -> str:
        """Describe it."""
        return f"resize to {self.factor:.2f} of {self.relative_to.upper()}, {self.kernel}"

    def apply(self, pixels: Pixels, sizes: Sizes, random: np.random.Generator) -> Pixels:
        """Resize; no side gets smaller than a pixel."""
        height, width = sizes.hr if self.relative_to == "hr" else sizes.lr
        size = max(1, int(height * self.factor)), max(1, int(width * self.factor))
        return _resize(pixels, size, self.kernel)


@dataclass(frozen=True)
class Bicubic:
    """MATLAB's bicubic to the LR size, not rounded.

    :func:`drnsr.images.resize.downscale` takes half of the time of a degradation: it computes in
    double precision, to round as MATLAB does. This is the same kernel in single precision.
    """

    def __str__(self) -> str:
        """Describe it."""
        return "bicubic to LR"

    def apply(self, pixels: Pixels, sizes: Sizes, random: np.random.Generator) -> Pixels:
        """Shrink by the scale."""
        scale = sizes.hr[0] // sizes.lr[0]
        # The taps of each new pixel lie at the same distances from it, so it is a convolution.
        centre = (scale - 1) / 2  # of a new pixel, from its first old one
        first = int(np.floor(centre - _CUBIC_REACH * scale)) + 1
        taps = np.arange(first, first + 2 * _CUBIC_REACH * scale)
        weights = cubic_kernel((taps - centre) / scale)
        line = (weights / weights.sum()).astype(np.float32)
        anchor = (-first, -first)
        filtered = cv2.sepFilter2D(
            pixels, -1, line, line, anchor=anchor, borderType=cv2.BORDER_REPLICATE
        )
        return _with_channels(np.ascontiguousarray(filtered[::scale, ::scale]))


@dataclass(frozen=True)
class ResizeToLr:
    """A resize to the LR size by a kernel."""

    kernel: ResizeName

    def __str__(self) -> str:
        """Describe it."""
        return f"resize to LR, {self.kernel}"

    def apply(self, pixels: Pixels, sizes: Sizes, random: np.random.Generator) -> Pixels:
        """Resize."""
        return _resize(pixels, sizes.lr, self.kernel)


@dataclass(frozen=True)
class GaussianNoise:
    """Gaussian noise; gray if it is the same in all channels."""

    sigma: float
    gray: bool

    def __str__(self) -> str:
        """Describe it."""
        return f"{'gray' if self.gray else 'colour'} Gaussian noise, sigma {self.sigma:.1f}"

    def apply(self, pixels: Pixels, sizes: Sizes, random: np.random.Generator) -> Pixels:
        """Add the noise, and clip to 0..255."""
        shape = (*pixels.shape[:2], 1) if self.gray else pixels.shape
        noise = random.standard_normal(shape, dtype=np.float32)
        return _clipped(pixels + np.float32(self.sigma) * noise)


@dataclass(frozen=True)
class PoissonNoise:
    """Poisson noise: its variance at the gray level x is scale^2 x; gray as above."""

    scale: float
    gray: bool

    def __str__(self) -> str:
        """Describe it."""
        return f"{'gray' if self.gray else 'colour'} Poisson noise, scale {self.scale:.1f}"

    def apply(self, pixels: Pixels, sizes: Sizes, random: np.random.Generator) -> Pixels:
        """Add the noise, and clip to 0..255."""
        mean = _clipped(pixels)
        if self.gray and mean.shape[2] == 3:
            mean = cv2.cvtColor(mean, cv2.COLOR_RGB2GRAY)[:, :, None]
        noise = random.poisson(mean).astype(np.float32) - mean
        return _clipped(pixels + np.float32(self.scale) * noise)


@dataclass(frozen=True)
class JpegCompression:
    """JPEG as most programs write it: chroma of half the resolution."""

    quality: int

    def __str__(self) -> str:
        """Describe it."""
        return f"JPEG quality {self.quality}"

    def apply(self, pixels: Pixels, sizes: Sizes, random: np.random.Generator) -> Pixels:
        """Compress and decompress the picture, rounded to 8 bits."""
        rounded = to_uint8(pixels)
        colour = rounded.shape[2] == 3
        bgr = cv2.cvtColor(rounded, cv2.COLOR_RGB2BGR) if colour else rounded
        options = [cv2.IMWRITE_JPEG_QUALITY, self.quality]
        _, encoded = cv2.imencode(".jpg", bgr, options)
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
        rgb = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB) if colour else decoded
        return _with_channels(rgb.astype(np.float32))


def to_uint8(pixels: Pixels) -> NDArray[np.uint8]:
    """Round halves up, and clip to 0..255."""
    return _clipped(np.floor(pixels + np.float32(0.5))).astype(np.uint8)


def _convolve(pixels: Pixels, kernel: Kernel) -> Pixels:
    """Convolve each channel; the picture is mirrored at its border."""
    return _with_channels(cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT_101))


def _resize(pixels: Pixels, size: tuple[int, int], kernel: ResizeName) -> Pixels:
    if pixels.shape[:2] == size:
        return pixels
    resized = cv2.resize(pixels, size[::-1], interpolation=_INTERPOLATIONS[kernel])
    return _with_channels(np.asarray(resized, np.float32))


def _clipped(pixels: Pixels) -> Pixels:
    return np.clip(pixels, 0, 255)


def _with_channels(pixels: NDArray[np.float32]) -> Pixels:
    """Return (H, W, C): OpenCV drops the axis of a single channel."""
    return pixels if pixels.ndim == 3 else pixels[:, :, None]
