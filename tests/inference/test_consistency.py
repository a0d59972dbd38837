"""A consistent picture gives its source back when the exact resize shrinks it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

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
    monkeypatch.setattr(consistency, "BAND_PIXELS", 1)  # in strips of sixteen rows
    strips = Projection(from_array(source), scale)
    bands = [upscaled[: 7 * scale], upscaled[7 * scale :]]
    for made in (whole, np.concatenate(list(strips.rows(bands)))):
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
