"""Tiles give what the whole picture gives, in whatever memory there is."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from drnsr.images.picture import from_array
from drnsr.inference.engine import OutOfMemoryError, TorchEngine
from drnsr.inference.tiling import MIN_TILE, TileMemoryError, Tiling
from drnsr.networks import DRNSR, VDSR, Network, RRDBNet
from tests.conftest import texture
from tests.networks.test_networks import MODELS, build

# At every scale the networks are tested themselves: tests/networks.
EXACT = [model for model in MODELS if build(model).descriptor.tiling_exact]


def awake(network: Network) -> Network:
    """A layer that starts at zero would hide all before it."""
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network


def network() -> Network:
    torch.manual_seed(0)
    return awake(DRNSR(scale=2, num_features=4, num_blocks=1))


@pytest.mark.parametrize("model", EXACT)
def test_tiles_are_the_whole_for_each_network(model):
    engine = TorchEngine(awake(build(model)), 2)
    side = 2 * max(16, engine.descriptor.receptive_field + 3)  # so that no tile sees all
    picture = from_array(texture(20, side).astype(np.float32) / 255)
    whole = Tiling(engine, tile="off").upscale(picture)
    tiled = Tiling(engine, tile=side // 2).upscale(picture)
    assert_allclose(tiled, whole, atol=1e-5 * float(np.abs(whole).max()))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("tile", [16, 17, 40, "auto"])
def test_tiles_are_the_whole_for_each_kind_of_picture(channels, tile):
    pixels = texture(37, 90, channels).astype(np.float32) / 255
    if channels in (2, 4):
        pixels[5:20, 30:60, -1] = 0  # not seen
    pixels[10, 10, 0] = np.nan if channels == 5 else pixels[10, 10, 0]
    engine = TorchEngine(network())
    whole = Tiling(engine, tile="off").upscale(from_array(pixels))
    assert_allclose(Tiling(engine, tile=tile).upscale(from_array(pixels)), whole, atol=1e-5)
    assert np.isfinite(whole).sum() == whole.size - 4 * (channels == 5)


def test_a_network_that_wants_even_sides_is_tiled_at_even_places():
    torch.manual_seed(0)
    engine = TorchEngine(RRDBNet(scale=2, num_features=4, num_blocks=1, num_growth=4))
    picture = from_array(texture(35, 51).astype(np.float32) / 255)
    whole = Tiling(engine, tile="off").upscale(picture)
    assert whole.shape == (70, 102, 3)
    assert_allclose(Tiling(engine, tile=17).upscale(picture), whole, atol=1e-5)


def test_a_network_on_luma_is_tiled_as_well():
    engine = TorchEngine(VDSR(scales=[3], num_features=4, num_layers=3))
    picture = from_array(texture(35, 51))
    whole = Tiling(engine, tile="off").upscale(picture)
    tiled = Tiling(engine, tile=16).upscale(picture)
    assert np.abs(tiled.astype(int) - whole).max() <= 1  # of rounding


def test_what_is_looked_at_as_a_whole_is_close_in_tiles_and_told_once(caplog):
    caplog.set_level("INFO", logger="drnsr")
    engine = TorchEngine(awake(build("rcan")), 2)
    picture = from_array(texture(200, 150).astype(np.float32) / 255)
    whole = Tiling(engine, tile="off").upscale(picture)
    assert caplog.messages == []
    in_tiles = Tiling(engine, tile=100)
    tiled = in_tiles.upscale(picture)
    in_tiles.upscale(picture)
    (told,) = caplog.messages
    assert told.startswith("this network looks at the whole picture at once")
    assert 0 < np.abs(tiled - whole).max() < 0.1 * np.abs(whole).max()


def test_the_ensemble_is_the_mean_of_eight():
    engine = TorchEngine(network())
    pixels = texture(9, 14).astype(np.float32) / 255
    turned = [np.rot90(pixels, k).copy() for k in range(4)]
    seen = [*turned, *(each[:, ::-1].copy() for each in turned)]
    made = [Tiling(engine).upscale(from_array(each)) for each in seen]
    back = [np.rot90(each, -k) for k, each in enumerate(made[:4])]
    back += [np.rot90(each[:, ::-1], -k) for k, each in enumerate(made[4:])]
    ensemble = Tiling(engine, ensemble=True).upscale(from_array(pixels))
    assert_allclose(ensemble, np.mean(back, axis=0), atol=1e-6)
    assert np.abs(ensemble - made[0]).max() > 1e-3


class Cramped:
    """An engine on a device that holds so many pixels at once."""

    def __init__(self, engine, room):
        self.descriptor, self.scale = engine.descriptor, engine.scale
        self._engine, self._room = engine, room
        self.sizes = []

    def __call__(self, lr):
        self.sizes.append(lr.shape[2] * lr.shape[3])
        if self.sizes[-1] > self._room:
            raise OutOfMemoryError("out of memory")
        return self._engine(lr)


@pytest.mark.parametrize("tile", ["off", "auto", 100])
def test_a_tile_that_does_not_fit_is_halved_and_so_are_the_later_ones(tile):
    engine = TorchEngine(network())
    cramped = Cramped(engine, room=50 * 50)
    picture = from_array(texture(130, 170).astype(np.float32) / 255)
    made = Tiling(cramped, tile=tile).upscale(picture)
    assert_allclose(made, Tiling(engine, tile="off").upscale(picture), atol=1e-5)
    failed = [size > 50 * 50 for size in cramped.sizes]
    assert sum(failed) <= 3  # halved twice or three times, and never tried again
    assert not any(failed[failed.index(False) :])


def test_memory_for_nothing_at_all_is_told():
    cramped = Cramped(TorchEngine(network()), room=100)
    with pytest.raises(TileMemoryError, match="not enough memory for a tile of"):
        Tiling(cramped).upscale(from_array(texture(64, 64)))


def test_torch_without_memory_is_a_shortage(monkeypatch):
    engine = TorchEngine(network())

    def full(*_):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr(DRNSR, "upscale", full)
    with pytest.raises(OutOfMemoryError):
        engine(np.zeros((1, 3, 4, 4), np.float32))


def test_how_far_it_is_adds_up_to_the_picture():
    told = []
    list(
        Tiling(TorchEngine(network()), tile=20).iter_rows(from_array(texture(45, 67)), told.append)
    )
    assert sum(told) == 45 * 67
    assert len(told) == 3 * 4


def test_a_tile_too_small_is_refused():
    with pytest.raises(ValueError, match=f"{MIN_TILE} is the smallest"):
        Tiling(TorchEngine(network()), tile=8)


@pytest.fixture(autouse=True)
def one_thread():
    """So small, several would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
