"""Asynchronous upscaling of 8-bit pictures, with the CPU in the place of a GPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from drnsr.images.picture import from_array
from drnsr.inference.engine import TorchEngine
from drnsr.inference.tiling import MIN_TILE, Tiling
from drnsr.networks import EDSR, VDSR
from tests.conftest import texture


def engine(network, *, is_asynchronous):
    result = TorchEngine(network, 2)
    result.is_asynchronous = is_asynchronous
    return result


def edsr():
    torch.manual_seed(0)
    return EDSR(scale=2, num_features=8, num_blocks=2)


@pytest.mark.parametrize("tile", ["off", 27, 18])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_pixels_equal_those_of_a_synchronous_engine(tile, channels, dtype):
    pixels = texture(53, 70, channels).astype(dtype) * (257 if dtype == np.uint16 else 1)
    results = [
        Tiling(engine(edsr(), is_asynchronous=is_asynchronous), tile=tile).upscale(
            from_array(pixels)
        )
        for is_asynchronous in (False, True)
    ]
    assert_array_equal(*results)


def test_other_pictures_are_not_submitted(monkeypatch):
    """A luma network, an ensemble, another value range, and nodata."""
    monkeypatch.setattr(TorchEngine, "submit", lambda *_: pytest.fail("submit was called"))
    rgb = from_array(texture(40, 40))
    luma = VDSR(scales=[2], num_features=4, num_layers=3)
    Tiling(engine(luma, is_asynchronous=True)).upscale(rgb)
    Tiling(engine(edsr(), is_asynchronous=True), ensemble=True).upscale(rgb)
    Tiling(engine(edsr(), is_asynchronous=True)).upscale(replace(rgb, value_range=(10.0, 200.0)))
    Tiling(engine(edsr(), is_asynchronous=True)).upscale(replace(rgb, nodata=0))


class SmallMemory(EDSR):
    """A network that runs out of memory for large pictures."""

    max_side = 60

    def upscale(self, lr, scale):
        if max(lr.shape[2:]) > self.max_side:
            raise torch.OutOfMemoryError("out of memory")
        return super().upscale(lr, scale)


def test_a_device_with_too_little_memory_continues_with_smaller_tiles():
    pixels = from_array(texture(150, 170))
    torch.manual_seed(0)
    tiling = Tiling(
        engine(SmallMemory(scale=2, num_features=8, num_blocks=2), is_asynchronous=True), tile=128
    )
    expected = Tiling(engine(edsr(), is_asynchronous=False)).upscale(pixels).astype(int)
    for _ in range(2):  # the second time begins with tiles that fit
        upscaled = tiling.upscale(pixels)
        assert np.abs(upscaled - expected).max() <= 1  # the order of summation may differ
        assert np.mean(upscaled == expected) > 0.999
        assert MIN_TILE <= tiling.side <= 64


def test_neighbouring_tiles_of_equal_size_are_one_batch(monkeypatch):
    sizes = []
    submit = TorchEngine.submit

    def counting(engine, rgb):
        sizes.append(len(rgb))
        return submit(engine, rgb)

    monkeypatch.setattr(TorchEngine, "submit", counting)
    # Five columns: the first and the last see less than those between.
    Tiling(engine(edsr(), is_asynchronous=True), tile=16).upscale(from_array(texture(20, 100)))
    assert sizes == [1, 3, 1]


class SmallBatch(EDSR):
    """A network that runs out of memory for batches."""

    def upscale(self, lr, scale):
        if len(lr) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return super().upscale(lr, scale)


def test_a_batch_that_does_not_fit_is_computed_tile_by_tile():
    pixels = from_array(texture(20, 100))
    torch.manual_seed(0)
    small = SmallBatch(scale=2, num_features=8, num_blocks=2)
    tiling = Tiling(engine(small, is_asynchronous=True), tile=16)
    expected = Tiling(engine(edsr(), is_asynchronous=True), tile=16).upscale(pixels)
    assert np.abs(tiling.upscale(pixels).astype(int) - expected).max() <= 1
    assert tiling.side == 16  # the tile fits
