"""A consistent picture gives its source back when the exact resize shrinks it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.optimize import minimize

from drnsr import Upscaler
from drnsr.images.picture import RGBA, from_array
from drnsr.images.resize import downscale, upscale
from drnsr.inference import consistency
from drnsr.inference.consistency import Projection
from drnsr.inference.engine import TorchEngine
from drnsr.networks import DRNSR
from tests.conftest import texture


def guess(source, scale, noise):
    """What a network might give: bicubic with detail of its own."""
    random = np.random.default_rng(0)
    upscaled = upscale(source.astype(np.float64), scale)
    upscaled += random.normal(0, noise, upscaled.shape)
    if np.issubdtype(source.dtype, np.integer):
        limits = np.iinfo(source.dtype)
        upscaled = upscaled.round().clip(limits.min, limits.max)
    return upscaled.astype(source.dtype)


SMOOTH = texture(45, 22, 2) // 2 + 60  # neither black nor white


@pytest.mark.parametrize(
    ("source", "scale", "noise"),
    [
        pytest.param(texture(45, 22), 2, 4, id="8 bits, with black and white"),
        pytest.param(SMOOTH[:, :, :1].astype(np.uint16) * 129 + 7, 3, 500, id="gray, 16 bits"),
        pytest.param(SMOOTH.astype(np.int16) * 9 - 1000, 2, 50, id="bands below zero"),
        pytest.param(SMOOTH.astype(np.float32) / 255, 4, 0.02, id="floats"),
    ],
)
def test_shrinking_gives_the_source_back(source, scale, noise, monkeypatch):
    projection = Projection(from_array(source), scale)
    upscaled = guess(source, scale, noise)
    whole = np.concatenate(list(projection.rows([upscaled])))
    monkeypatch.setattr(consistency, "_BLOCK", 16)
    strips = Projection(from_array(source), scale)
    bands = [upscaled[: 7 * scale], upscaled[7 * scale :]]
    in_strips = np.concatenate(list(strips.rows(bands)))
    assert np.abs(whole.astype(float) - in_strips).max() <= (1e-7 if noise < 1 else 0)
    for made in (whole, in_strips):
        assert made.dtype == source.dtype
        shrunk = downscale(made.astype(np.float64), scale)
        if np.issubdtype(source.dtype, np.integer):
            limits = np.iinfo(source.dtype)
            shrunk = shrunk.clip(limits.min, limits.max)
            assert_array_equal(np.floor(shrunk + 0.5), source)
            assert np.abs(shrunk - source).max() < np.abs(downscale(upscaled, scale) - source).max()
        deviation = np.abs(shrunk - source).max()
        assert deviation <= (0.5 if np.issubdtype(source.dtype, np.integer) else 2e-6)
        assert projection.deviation([made]) == pytest.approx(deviation, abs=1e-9)


def dense(height, width, scale):
    """Return the exact resize of a picture as a matrix, by what it makes of each single pixel."""
    pixels = np.eye(height * width * scale**2).reshape(height * scale, width * scale, -1)
    return downscale(pixels, scale).reshape(height * width, -1)


@pytest.mark.parametrize("scale", [2, 3])
def test_the_result_is_the_consistent_picture_nearest_to_that_of_the_network(scale):
    source = texture(7, 6, 1).astype(np.float64)
    upscaled = guess(source, scale, 20)
    matrix = dense(7, 6, scale)
    lacking = source.ravel() - matrix @ upscaled.ravel()
    nearest = upscaled.ravel() + np.linalg.lstsq(matrix, lacking)[0]  # of the least norm
    (made,) = Projection(from_array(source), scale).rows([upscaled])
    assert np.abs(made.ravel() - nearest).max() < 1e-9


def test_what_no_picture_shrinks_to_is_approached_by_least_squares():
    source = np.zeros((8, 8, 1), np.uint8)
    source[:, 4:] = 255
    source[3, 1] = 255
    upscaled = guess(source, 2, 20)
    matrix = dense(8, 8, 2)
    # What shrinks to less than black or more than white would be stored as these.
    best = minimize(
        lambda x: overshooting(matrix, x, source.ravel()),
        upscaled.ravel().astype(float),
        jac=True,
        bounds=[(0, 255)] * matrix.shape[1],
    )
    (made,) = Projection(from_array(source), 2).rows([upscaled])
    reached, _ = overshooting(matrix, made.ravel().astype(float), source.ravel())
    assert best.fun > 100  # none shrinks to it
    assert reached < 1.02 * best.fun


def overshooting(matrix, pixels, source):
    """Return the squared error of a picture, and its gradient."""
    shrunk = matrix @ pixels
    error = shrunk.clip(0, 255) - source
    return (error**2).sum(), 2 * matrix.T @ error


def test_pixels_without_data_stay_so_and_the_others_are_consistent():
    source = SMOOTH[:, :, :1].astype(np.float32) / 255
    source[10:14, 5:8] = np.nan
    upscaled = guess(np.nan_to_num(source), 2, 0.02)
    (made,) = Projection(from_array(source), 2).rows([upscaled])
    hole = np.isnan(source).repeat(2, axis=0).repeat(2, axis=1)
    assert_array_equal(np.isnan(made), hole)
    error = np.abs(downscale(np.where(hole, 0, made).astype(np.float64), 2) - source)
    far = np.ones(source.shape, bool)
    far[8:16, 3:10] = False  # the kernel reaches two pixels
    assert error[far].max() < 2e-6


def test_colour_that_is_seen_is_consistent_and_so_is_alpha():
    source = np.concatenate(
        [texture(30, 24) // 2 + 60, np.full((30, 24, 1), 255, np.uint8)], axis=2
    )
    source[:, 12:, 3] = 0
    upscaled = guess(source, 2, 4)
    (made,) = Projection(replace(from_array(source), channels=RGBA), 2).rows([upscaled])
    shrunk = np.floor(downscale(made.astype(np.float64), 2).clip(0, 255) + 0.5)
    beside = [*range(9), *range(15, 24)]  # no alpha within 0..255 shrinks to such an edge
    assert_array_equal(shrunk[:, beside, 3], source[:, beside, 3])
    assert_array_equal(shrunk[:, :10, :3], source[:, :10, :3])


def test_the_python_interface_makes_consistent_pictures():
    torch.manual_seed(0)
    network = DRNSR(scale=2, num_features=4, num_blocks=1)
    torch.nn.init.normal_(network.tail.weight, std=0.05)
    upscaler = Upscaler(TorchEngine(network), tile=16, consistent=True)
    picture = SMOOTH[:, :, 0]
    shrunk = downscale(upscaler(picture).astype(np.float64)[:, :, None], 2)[:, :, 0]
    assert_array_equal(np.floor(shrunk + 0.5), picture)
