"""Blur kernels of Real-ESRGAN (Wang et al. 2021, sections 3.1 and 3.3).

albumentations and OpenCV have isotropic Gaussians, and albumentations generalised ones, but it
draws their parameters from its own random generator. Neither has plateau-shaped kernels or sinc
filters. So the formulas are here, and OpenCV convolves.
"""

from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1

Kernel = NDArray[np.float32]
"""(size, size), whose sum is 1."""


def gaussian(size: int, sigma: tuple[float, float], angle: float, beta: float = 1.0) -> Kernel:
    """Return a generalised Gaussian kernel, exp(-1/2 (c' S^-1 c)^beta) / N.

    Args:
        size: its side in pixels, odd.
        sigma: standard deviation in pixels along its two axes, for beta 1.
        angle: of the first axis to the rows' direction (x), in radians.
        beta: its shape: 1 is a Gaussian, less has longer tails, more is flatter.
    """
    return _normalised(np.exp(-0.5 * _distance(size, sigma, angle) ** beta))


def plateau(size: int, sigma: tuple[float, float], angle: float, beta: float) -> Kernel:
    """Return a plateau-shaped kernel, 1 / (1 + (c' S^-1 c)^beta) / N; arguments as in gaussian."""
    return _normalised(1 / (1 + _distance(size, sigma, angle) ** beta))


def sinc(size: int, cutoff: float) -> Kernel:
    """Return an ideal circular low-pass filter, cut off at the kernel's border: it rings.

    Args:
        size: its side in pixels, odd.
        cutoff: the highest frequency that passes, in radians per pixel, 0..pi.
    """
    x, y = _grid(size)
    radius = np.hypot(x, y)
    centre = size // 2
    radius[centre, centre] = 1.0  # any but 0
    values = cutoff * j1(cutoff * radius) / (2 * pi * radius)
    values[centre, centre] = cutoff**2 / (4 * pi)  # the limit at 0
    return _normalised(values)


def _grid(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y of each pixel from the centre."""
    line = np.arange(size, dtype=np.float64) - size // 2
    x, y = np.meshgrid(line, line)
    return x, y


def _distance(size: int, sigma: tuple[float, float], angle: float) -> NDArray[np.float64]:
    """Return c' S^-1 c of each pixel c, where S is the covariance matrix."""
    x, y = _grid(size)
    along, across = x * cos(angle) + y * sin(angle), y * cos(angle) - x * sin(angle)
    distance: NDArray[np.float64] = (along / sigma[0]) ** 2 + (across / sigma[1]) ** 2
    return distance


def _normalised(values: NDArray[np.float64]) -> Kernel:
    kernel: Kernel = (values / values.sum()).astype(np.float32)
    return kernel
