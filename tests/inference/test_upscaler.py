"""The upscaler: bicubic for untrained networks, luma for luma networks, and its loaders."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skimage.color import rgb2ycbcr

from drnsr.errors import UserError
from drnsr.images.resize import upscale
from drnsr.inference.engine import TorchEngine
from drnsr.inference.upscaler import Upscaler
from drnsr.networks import DRNSR, VDSR
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture


def is_bicubic(image, upscaled, scale):
    # MATLAB rounds uint8 between the passes; the network does not.
    exact = np.clip(upscale(image.astype(np.float64), scale), 0, 255)
    return np.abs(upscaled - exact).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [2, 3])
def test_an_untrained_network_is_bicubic_interpolation(channels, scale):
    image = texture(9, 14, channels)
    upscaled = Upscaler(TorchEngine(DRNSR(scale=scale)))(image)
    assert upscaled.dtype == np.uint8
    assert upscaled.shape == (9 * scale, 14 * scale, channels)
    assert is_bicubic(image, upscaled, scale)


def test_from_a_file(tmp_path):
    network = DRNSR(scale=2, num_features=8, num_blocks=1)
    save_model(tmp_path / "model.safetensors", network, Origin("", "", ""))
    image = texture(8, 8)
    upscaler = Upscaler.from_file(tmp_path / "model.safetensors")
    assert_array_equal(upscaler(image), Upscaler(TorchEngine(network))(image))
    assert upscaler.scale == 2
    with pytest.raises(UserError, match=r"model\.safetensors: DRNSR has no x3; it enlarges by x2"):
        Upscaler.from_file(tmp_path / "model.safetensors", 3)


@pytest.fixture
def luma_network():
    torch.manual_seed(0)
    return VDSR(scales=[2, 3], num_features=4, num_layers=3)


@pytest.mark.parametrize("scale", [2, 3])
def test_a_luma_network_upscales_luma_and_bicubic_upscales_chroma(luma_network, scale):
    image = texture(9, 14) / 255
    upscaled = rgb2ycbcr(Upscaler(TorchEngine(luma_network, scale))(image))
    luma, chroma = np.split(rgb2ycbcr(image), [1], axis=2)
    assert_allclose(upscaled[:, :, 1:], upscale(chroma, scale), atol=1e-4)
    lr = torch.from_numpy(luma[None, :, :, 0] / 255).float()[None]
    with torch.no_grad():
        expected = luma_network(lr, scale)[0, 0] * 255
    assert_allclose(upscaled[:, :, 0], expected, atol=1e-3)
    assert np.abs(upscaled[:, :, :1] - upscale(luma, scale)).max() > 1  # the network did something


def test_a_luma_network_gets_gray_as_luma(luma_network):
    image = texture(9, 14, 1) / 255
    lr = torch.from_numpy(image).float().permute(2, 0, 1)[None]
    with torch.no_grad():
        expected = luma_network(lr, 3)[0].permute(1, 2, 0)
    assert_allclose(Upscaler(TorchEngine(luma_network, 3))(image), expected, atol=1e-5)
