"""Pictures of 8 bits that a device enlarges by itself; here the CPU stands in for it."""

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
    made = TorchEngine(network, 2)
    made.is_asynchronous = is_asynchronous
    return made


def edsr():
    torch.manual_seed(0)
    return EDSR(scale=2, num_features=8, num_blocks=2)


@pytest.mark.parametrize("tile", ["off", 24, 16])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_pixels_are_those_that_the_cpu_rounds(tile, channels, dtype):
    pixels = texture(53, 70, channels).astype(dtype) * (257 if dtype == np.uint16 else 1)
    results = [
        Tiling(engine(edsr(), is_asynchronous=is_asynchronous), tile=tile).upscale(
            from_array(pixels)
        )
        for is_asynchronous in (False, True)
    ]
    assert_array_equal(*results)


def test_what_the_device_cannot_do_alone_is_left_to_the_cpu(monkeypatch):
    """Luma, the mean of eight, another range, and a value that says that nothing is known."""
    monkeypatch.setattr(TorchEngine, "submit", lambda *_: pytest.fail("it was not to start"))
    rgb = from_array(texture(40, 40))
    luma = VDSR(scales=[2], num_features=4, num_layers=3)
    Tiling(engine(luma, is_asynchronous=True)).upscale(rgb)
    Tiling(engine(edsr(), is_asynchronous=True), ensemble=True).upscale(rgb)
    Tiling(engine(edsr(), is_asynchronous=True)).upscale(replace(rgb, value_range=(10.0, 200.0)))
    Tiling(engine(edsr(), is_asynchronous=True)).upscale(replace(rgb, nodata=0))


class Small(EDSR):
    """A device that has memory for little."""

    largest = 60

    def upscale(self, lr, scale):
        if max(lr.shape[2:]) > self.largest:
            raise torch.OutOfMemoryError("out of memory")
        return super().upscale(lr, scale)


def test_a_device_whose_memory_is_too_small_goes_on_in_smaller_tiles():
    pixels = from_array(texture(150, 170))
    torch.manual_seed(0)
    tiling = Tiling(
        engine(Small(scale=2, num_features=8, num_blocks=2), is_asynchronous=True), tile=128
    )
    wanted = Tiling(engine(edsr(), is_asynchronous=False)).upscale(pixels).astype(int)
    for _ in range(2):  # the second time at once in tiles that fit
        made = tiling.upscale(pixels)
        assert np.abs(made - wanted).max() <= 1  # other tiles add up in another order
        assert np.mean(made == wanted) > 0.999
        assert MIN_TILE <= tiling.side <= 64
