"""The kernels, against their formulas, OpenCV's Gaussian, and what a low-pass filter is."""

from math import cos, pi, sin

import cv2
import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose

from drnsr.degradation.kernels import gaussian, plateau, sinc

SIGMA, ANGLE = (2.0, 4.0), 0.5
TURN = np.array([[cos(ANGLE), -sin(ANGLE)], [sin(ANGLE), cos(ANGLE)]])
COVARIANCE = TURN @ np.diag(np.square(SIGMA)) @ TURN.T


def offsets(size):
    """The (x, y) of each pixel from the centre, (size * size, 2)."""
    reach = size // 2
    return np.array([(x, y) for y in range(-reach, reach + 1) for x in range(-reach, reach + 1)])


@pytest.mark.parametrize(
    "kernel",
    [
        gaussian(7, (3.0, 0.2), 1.0),
        gaussian(21, SIGMA, ANGLE, beta=0.5),
        plateau(9, SIGMA, ANGLE, beta=2.0),
        sinc(7, pi / 3),
        sinc(21, pi),
    ],
)
def test_a_kernel_sums_to_one_and_is_symmetric_about_its_centre(kernel):
    assert kernel.dtype == np.float32
    assert kernel.sum(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    assert_allclose(kernel, kernel[::-1, ::-1], rtol=1e-4, atol=1e-7)


def test_the_covariance_of_a_gaussian_is_that_of_its_axes():
    weights = gaussian(61, SIGMA, ANGLE).ravel()
    assert_allclose((offsets(61).T * weights) @ offsets(61), COVARIANCE, rtol=1e-3)


def test_an_isotropic_gaussian_is_that_of_opencv():
    line = cv2.getGaussianKernel(9, 1.3, cv2.CV_64F)
    assert_allclose(gaussian(9, (1.3, 1.3), 0.7), line @ line.T, rtol=1e-5)


def test_the_shape_of_generalised_and_plateau_kernels_is_that_of_the_papers():
    """Liu et al. 2020, "Estimating Generalized Gaussian Blur Kernels"; Wang et al., section 3.1."""
    where = offsets(11)
    distance = np.einsum("ni,ij,nj->n", where, np.linalg.inv(COVARIANCE), where)
    for beta in (0.5, 1.0, 3.0):
        for kernel, values in (
            (gaussian(11, SIGMA, ANGLE, beta), np.exp(-0.5 * distance**beta)),
            (plateau(11, SIGMA, ANGLE, beta), 1 / (1 + distance**beta)),
        ):
            assert_allclose(kernel.ravel() / kernel.max(), values, rtol=1e-4, atol=1e-30)


def test_a_sinc_filter_is_its_bessel_function():
    """Section 3.3: w / (2 pi r) J1(w r), whose limit at 0 is w^2 / (4 pi)."""
    cutoff = pi / 3
    kernel = sinc(13, cutoff)
    for x, y in ((1, 0), (0, 2), (3, -4), (6, 6)):
        radius = mpmath.hypot(x, y)
        expected = cutoff * mpmath.besselj(1, cutoff * radius) / (2 * pi * radius)
        expected /= cutoff**2 / (4 * pi)
        assert kernel[6 + y, 6 + x] / kernel[6, 6] == pytest.approx(float(expected), abs=1e-5)


def test_a_large_sinc_filter_passes_the_frequencies_below_its_cutoff():
    response = np.abs(np.fft.fft2(sinc(99, pi / 2)))
    frequency = np.abs(np.fft.fftfreq(99)) * 2 * pi
    radius = np.hypot(frequency[:, None], frequency)
    assert_allclose(response[radius < 0.4 * pi], 1, atol=0.12)
    assert_allclose(response[radius > 0.6 * pi], 0, atol=0.12)
