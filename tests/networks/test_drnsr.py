import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from drnsr.networks import DRNSR
from tests.conftest import texture
from tests.networks.oracles import matlab_bicubic


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_untrained_it_is_bicubic(scale):
    picture = torch.from_numpy(texture(12, 13).astype(np.float32) / 255).permute(2, 0, 1)[None]
    with torch.no_grad():
        assert_allclose(DRNSR(scale=scale)(picture), matlab_bicubic(picture, scale), atol=1e-6)
