"""Each step, against statistics, Pillow, MATLAB's bicubic and averages by hand."""

import io

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from drnsr.degradation.kernels import gaussian
from drnsr.degradation.steps import (
    Bicubic,
    GaussianNoise,
    JpegCompression,
    KernelBlur,
    PoissonNoise,
    RandomResize,
    ResizeToLr,
    SincFilter,
    Sizes,
)
from drnsr.images.resize import downscale
from tests.conftest import texture

SIZES = Sizes((60, 48), (20, 16))


def applied(step, pixels, sizes=SIZES, seed=0):
    return step.apply(pixels.astype(np.float32), sizes, np.random.default_rng(seed))


def noise_of(step, level, channels=3):
    flat = np.full((200, 200, channels), level)
    return applied(step, flat) - flat


def test_gaussian_noise_has_its_standard_deviation_in_each_channel():
    colour, gray = (noise_of(GaussianNoise(7.0, gray), 128) for gray in (False, True))
    assert_allclose(colour.std(axis=(0, 1)), 7, rtol=0.02)
    assert np.abs(np.corrcoef(colour.reshape(-1, 3).T) - np.eye(3)).max() < 0.02
    assert gray.std() == pytest.approx(7, rel=0.02)
    assert_array_equal(gray[:, :, 0], gray[:, :, 2])


def test_the_variance_of_poisson_noise_is_its_scale_squared_times_the_level():
    for level, scale in ((10, 0.5), (60, 2.0), (120, 1.0)):
        for gray in (False, True):
            noise = noise_of(PoissonNoise(scale, gray), level)
            assert noise.mean() == pytest.approx(0, abs=0.15)
            assert noise.var() == pytest.approx(scale**2 * level, rel=0.03)
            assert (noise[:, :, 0] == noise[:, :, 1]).all() == gray


def test_noise_is_clipped_at_black_and_white():
    for level in (0, 255):
        found = applied(GaussianNoise(50.0, False), np.full((20, 20, 1), level))
        assert found.shape == (20, 20, 1)
        assert (found.min(), found.max()) >= (0, 200 if level else 0)
        assert found.max() <= 255


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_has_the_pixels_of_pillow_at_the_same_quality(channels):
    picture = texture(60, 48, channels)
    for quality in (10, 50, 95):
        file = io.BytesIO()
        Image.fromarray(picture.squeeze()).save(file, "JPEG", quality=quality, subsampling="4:2:0")
        theirs = np.asarray(Image.open(file), int).reshape(picture.shape)
        assert np.abs(applied(JpegCompression(quality), picture) - theirs).max() <= 2
        tables = Image.open(file).quantization
        _, ours = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert Image.open(io.BytesIO(ours.tobytes())).quantization == tables


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_is_that_of_matlab_but_not_rounded(scale):
    picture = texture(60, 48)
    sizes = Sizes((60, 48), (60 // scale, 48 // scale))
    exact = downscale(picture.astype(np.float64), scale)
    assert_allclose(applied(Bicubic(), picture, sizes), exact, atol=1e-3)


def test_a_blur_spreads_a_point_into_its_kernel():
    point = np.zeros((41, 41, 3))
    point[20, 20] = 1
    step = KernelBlur("aniso", 15, (1.0, 3.0), 0.4, 1.0)
    kernel = gaussian(15, (1.0, 3.0), 0.4)
    found = applied(step, point)
    assert_allclose(found[13:28, 13:28, 1], kernel, atol=1e-6)
    assert found[:, :, 1].sum() == pytest.approx(1, abs=1e-4)


def test_filters_keep_a_flat_picture_to_its_border():
    for step in (SincFilter(21, 1.1), KernelBlur("plateau_iso", 21, (3.0, 3.0), 0.0, 1.5)):
        assert_allclose(applied(step, np.full((12, 30, 1), 77.0)), 77, atol=1e-3)


def test_sizes_after_a_resize_are_fractions_of_hr_or_lr():
    picture = texture(60, 48)
    half = applied(RandomResize(0.5, "hr", "area"), picture)
    blocks = picture.reshape(30, 2, 24, 2, 3).mean(axis=(1, 3))
    assert_allclose(half, blocks, atol=1e-3)
    assert applied(RandomResize(1.2, "lr", "bilinear"), picture).shape == (24, 19, 3)
    assert applied(RandomResize(0.05, "lr", "area"), picture[:, :, :1]).shape == (1, 1, 1)
    assert applied(ResizeToLr("bicubic"), half).shape == (20, 16, 3)
    assert applied(RandomResize(1.0, "hr", "area"), picture) == pytest.approx(picture)
