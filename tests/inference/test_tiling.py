"""Tiling: tiles give the result of the whole picture, and fit the memory."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from drnsr.images.picture import Box, from_array
from drnsr.inference.engine import OutOfMemoryError, TorchEngine
from drnsr.inference.tiling import MIN_TILE, TileMemoryError, Tiling
from drnsr.networks import DRNSR, VDSR, Network, RRDBNet
from tests.conftest import texture
from tests.networks.building import MODELS, build, wake

# Other scales are tested in tests/networks.
EXACT = [model for model in MODELS if build(model).descriptor.tiling_exact]


def network() -> Network:
    torch.manual_seed(0)
    return wake(DRNSR(scale=2, num_features=4, num_blocks=1))


@pytest.mark.parametrize("model", EXACT)
def test_tiles_equal_the_whole_for_each_network(model):
    engine = TorchEngine(wake(build(model)), 2)
    side = 2 * max(16, engine.descriptor.receptive_field + 3)  # no tile sees the whole picture
    picture = from_array(texture(20, side).astype(np.float32) / 255)
    whole = Tiling(engine, tile="off").upscale(picture)
    tiled = Tiling(engine, tile=side // 2).upscale(picture)
    assert_allclose(tiled, whole, atol=1e-5 * float(np.abs(whole).max()))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("tile", [16, 17, 40, "auto"])
def test_tiles_equal_the_whole_for_each_kind_of_picture(channels, tile):
    pixels = texture(37, 90, channels).astype(np.float32) / 255
    if channels in (2, 4):
        pixels[5:20, 30:60, -1] = 0  # transparent
    pixels[10, 10, 0] = np.nan if channels == 5 else pixels[10, 10, 0]
    engine = TorchEngine(network())
    whole = Tiling(engine, tile="off").upscale(from_array(pixels))
    assert_allclose(Tiling(engine, tile=tile).upscale(from_array(pixels)), whole, atol=1e-5)
    assert np.isfinite(whole).sum() == whole.size - 4 * (channels == 5)


def test_tiles_of_a_network_for_even_sizes_begin_at_even_places():
    torch.manual_seed(0)
    engine = TorchEngine(RRDBNet(scale=2, num_features=4, num_blocks=1, num_growth=4))
    picture = from_array(texture(35, 51).astype(np.float32) / 255)
    whole = Tiling(engine, tile="off").upscale(picture)
    assert whole.shape == (70, 102, 3)
    assert_allclose(Tiling(engine, tile=17).upscale(picture), whole, atol=1e-5)


def test_tiles_equal_the_whole_for_a_luma_network():
    engine = TorchEngine(VDSR(scales=[3], num_features=4, num_layers=3))
    picture = from_array(texture(35, 51))
    whole = Tiling(engine, tile="off").upscale(picture)
    tiled = Tiling(engine, tile=16).upscale(picture)
    assert np.abs(tiled.astype(int) - whole).max() <= 1  # rounding


def test_tiles_of_a_global_receptive_field_are_close_and_logged_once(caplog):
    caplog.set_level("INFO", logger="drnsr")
    engine = TorchEngine(wake(build("rcan")), 2)
    picture = from_array(texture(200, 150).astype(np.float32) / 255)
    whole = Tiling(engine, tile="off").upscale(picture)
    assert caplog.messages == []
    tiling = Tiling(engine, tile=100)
    tiled = tiling.upscale(picture)
    tiling.upscale(picture)
    (message,) = caplog.messages
    assert message.startswith("this network looks at the whole picture at once")
    assert 0 < np.abs(tiled - whole).max() < 0.1 * np.abs(whole).max()


def test_the_ensemble_is_the_mean_over_eight_symmetries():
    engine = TorchEngine(network())
    pixels = texture(9, 14).astype(np.float32) / 255
    rotated = [np.rot90(pixels, k).copy() for k in range(4)]
    inputs = [*rotated, *(each[:, ::-1].copy() for each in rotated)]
    outputs = [Tiling(engine).upscale(from_array(each)) for each in inputs]
    back = [np.rot90(each, -k) for k, each in enumerate(outputs[:4])]
    back += [np.rot90(each[:, ::-1], -k) for k, each in enumerate(outputs[4:])]
    ensemble = Tiling(engine, ensemble=True).upscale(from_array(pixels))
    assert_allclose(ensemble, np.mean(back, axis=0), atol=1e-6)
    assert np.abs(ensemble - outputs[0]).max() > 1e-3


def test_a_box_is_upscaled_as_in_the_whole():
    torch.manual_seed(0)
    network = RRDBNet(scale=2, num_features=4, num_blocks=1, num_growth=2)
    assert network.descriptor.size_multiple == 2
    tiling = Tiling(TorchEngine(network))
    picture = from_array(texture(61, 53).astype(np.float32) / 255)
    whole = tiling.upscale(picture)
    for box in (Box(7, 20, 5, 18), Box(0, 61, 0, 53), Box(50, 61, 31, 53)):
        part = tiling.upscale_box(picture, box)
        assert_allclose(
            part, whole[box.top * 2 : box.bottom * 2, box.left * 2 : box.right * 2], atol=1e-5
        )


class SmallEngine:
    """An engine with memory for a limited number of pixels."""

    def __init__(self, engine, max_pixels):
        self.descriptor, self.scale = engine.descriptor, engine.scale
        self._engine, self._max_pixels = engine, max_pixels
        self.sizes = []

    def __call__(self, lr):
        self.sizes.append(lr.shape[2] * lr.shape[3])
        if self.sizes[-1] > self._max_pixels:
            raise OutOfMemoryError("out of memory")
        return self._engine(lr)


@pytest.mark.parametrize("tile", ["off", "auto", 100])
def test_a_tile_that_does_not_fit_is_halved_for_all_later_tiles(tile):
    engine = TorchEngine(network())
    small = SmallEngine(engine, max_pixels=50 * 50)
    picture = from_array(texture(130, 170).astype(np.float32) / 255)
    upscaled = Tiling(small, tile=tile).upscale(picture)
    assert_allclose(upscaled, Tiling(engine, tile="off").upscale(picture), atol=1e-5)
    failed = [size > 50 * 50 for size in small.sizes]
    assert sum(failed) <= 3  # halved two or three times
    assert not any(failed[failed.index(False) :])


def test_too_little_memory_for_the_smallest_tile_is_an_error():
    small = SmallEngine(TorchEngine(network()), max_pixels=100)
    with pytest.raises(TileMemoryError, match="not enough memory for a tile of"):
        Tiling(small).upscale(from_array(texture(64, 64)))


def test_progress_adds_up_to_the_number_of_pixels():
    progress = []
    list(
        Tiling(TorchEngine(network()), tile=20).iter_rows(
            from_array(texture(45, 67)), progress.append
        )
    )
    assert sum(progress) == 45 * 67
    assert len(progress) == 3 * 4


def test_a_tile_that_is_too_small_is_rejected():
    with pytest.raises(ValueError, match=f"{MIN_TILE} is the smallest"):
        Tiling(TorchEngine(network()), tile=8)


@pytest.fixture(autouse=True)
def one_thread():
    """More threads would be slower for such small pictures."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
