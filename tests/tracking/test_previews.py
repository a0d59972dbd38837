"""Pictures of the validation crops: what they show, and that they change nothing."""

import io
from types import SimpleNamespace

import numpy as np
import torch
from lightning.pytorch.strategies import SingleDeviceStrategy
from numpy.testing import assert_allclose
from PIL import Image

from drnsr.images.pixel_format import PixelFormat
from drnsr.networks import DRNSR, VDSR
from drnsr.tracking.previews import Previews
from tests.conftest import texture


def previews_of(network):
    """The previews of three validation crops, at step 10."""
    kept = {}

    def log_image(key, png, step):
        kept[key, step] = np.asarray(Image.open(io.BytesIO(png)))

    trainer = SimpleNamespace(strategy=SingleDeviceStrategy("cpu"), global_step=10)
    module, callback = (
        SimpleNamespace(network=network.eval()),
        Previews(SimpleNamespace(log_image=log_image)),
    )
    for number in range(3):
        lr = torch.from_numpy(texture(80, 40)).permute(2, 0, 1)[None]
        hr = torch.zeros(1, 3, 160, 80, dtype=torch.uint8)
        callback.on_validation_batch_end(trainer, module, None, (lr, hr), number)
    return kept


def test_the_middles_of_two_crops_are_shown_as_the_network_and_as_bicubic_upscale_them():
    random = torch.random.get_rng_state()
    network = DRNSR(scale=2, num_features=4, num_blocks=1)  # bicubic, before it is trained
    torch.random.set_rng_state(random)
    kept = previews_of(network)
    assert list(kept) == [(f"validation crop {n}", step) for n in (1, 2) for step in (0, 10)]
    for number in (1, 2):
        bicubic, upscaled = (kept[f"validation crop {number}", step] for step in (0, 10))
        assert bicubic.shape == (128, 80, 3)
        # MATLAB's bicubic is rounded after each axis.
        assert_allclose(upscaled.astype(int), bicubic.astype(int), atol=4)
    assert torch.equal(torch.random.get_rng_state(), random)


def test_a_network_on_luma_is_shown_in_gray():
    kept = previews_of(VDSR(scales=[2], num_features=4, num_layers=3))
    assert kept["validation crop 1", 10].shape == (128, 80)


def test_bands_are_shown_between_their_black_and_white():
    network = DRNSR(scale=2, num_features=4, num_blocks=1, channels=4)
    black, white = (100.0, 200.0, 0.0, 50.0), (1100.0, 1200.0, 1000.0, 1050.0)
    network.pixels = PixelFormat(
        ("red", "nir", "green", "blue"), 16, (black, white), (black, white)
    )
    lr = torch.full((1, 4, 20, 10), 600, dtype=torch.int32).to(torch.uint16)
    kept = {}
    logger = SimpleNamespace(
        log_image=lambda key, png, step: kept.update(
            {step: np.asarray(Image.open(io.BytesIO(png)))}
        )
    )
    trainer = SimpleNamespace(strategy=SingleDeviceStrategy("cpu"), global_step=10)
    module, hr = SimpleNamespace(network=network.eval()), torch.zeros(1, 4, 40, 20)
    Previews(logger).on_validation_batch_end(trainer, module, None, (lr, hr), 0)
    wanted = np.broadcast_to(np.uint8([128, 153, 140]), (40, 20, 3))  # red, green, blue
    assert_allclose(kept[0], wanted, atol=1)
    assert_allclose(kept[10], wanted, atol=1)  # untrained: bicubic
