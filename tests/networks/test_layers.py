import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose

from drnsr.networks.layers import BicubicSkip
from tests.networks.oracles import matlab_bicubic


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (9, 14)])
@pytest.mark.parametrize("padding", ["replicate", "mirror"])
def test_the_skip_is_matlabs_bicubic(scale, size, padding):
    picture = torch.rand(2, 3, *size)
    enlarged = BicubicSkip(scale, padding=padding)(picture)
    assert_allclose(enlarged, matlab_bicubic(picture, scale, padding), atol=1e-6)


def test_the_skip_with_another_kernel_is_torchs():
    picture = torch.rand(1, 3, 7, 9)
    torchs = F.interpolate(picture, scale_factor=3, mode="bicubic", align_corners=False)
    assert_allclose(BicubicSkip(3, a=-0.75)(picture), torchs, atol=1e-6)


def test_the_skip_stays_exact_under_bf16():
    picture = torch.rand(1, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        enlarged = BicubicSkip(2)(picture)
    assert_allclose(enlarged, matlab_bicubic(picture, 2), atol=1e-6)
