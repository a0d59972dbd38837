import numpy as np
import pytest
from numpy.testing import assert_array_equal

from drnsr.checkpoints.native import Origin, save_model
from drnsr.errors import UserError
from drnsr.imaging.resize import upscale
from drnsr.inference.upscaler import Upscaler
from drnsr.networks import DRNSR
from tests.conftest import texture


def close_to_bicubic(image, enlarged, scale):
    # The network's bicubic is not rounded between the passes; MATLAB's on uint8 is.
    exact = np.clip(upscale(image.astype(np.float64), scale), 0, 255)
    return np.abs(enlarged - exact).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [2, 3])
def test_an_untrained_model_enlarges_as_bicubic_does(channels, scale):
    image = texture(9, 14, channels)
    enlarged = Upscaler(DRNSR(scale=scale))(image)
    assert enlarged.dtype == np.uint8
    assert enlarged.shape == (9 * scale, 14 * scale, channels)
    assert close_to_bicubic(image, enlarged, scale)


def test_from_a_file(tmp_path):
    network = DRNSR(scale=2, num_features=8, num_blocks=1)
    save_model(tmp_path / "model.safetensors", network, Origin("", "", ""))
    image = texture(8, 8)
    upscaler = Upscaler.from_file(tmp_path / "model.safetensors")
    assert_array_equal(upscaler(image), Upscaler(network)(image))
    assert upscaler.scale == 2
    with pytest.raises(UserError, match=r"model\.safetensors: DRNSR has no x3; it enlarges by x2"):
        Upscaler.from_file(tmp_path / "model.safetensors", 3)
