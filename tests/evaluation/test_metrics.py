"""PSNR, SSIM and VIF against another library and by hand."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from drnsr.evaluation.metrics import psnr, ssim, vif
from drnsr.imaging.colour import luma
from tests.conftest import texture

PLANE = luma(texture(64, 80))[:, :, None]
PAIR = PLANE, PLANE * 0.9 + 5


def test_psnr_is_skimages():
    assert psnr(*PAIR) == pytest.approx(peak_signal_noise_ratio(*PAIR, data_range=255), abs=5e-6)


def test_psnr_by_hand():
    plane = np.full((12, 12, 3), 100.0)
    # An error of 1 everywhere: 10 log10(255^2).
    assert psnr(plane, plane + 1) == pytest.approx(48.1308036, abs=5e-6)


def test_ssim_is_skimages_with_wangs_settings():
    # skimage averages over the picture without a border of (window - 1) / 2 pixels, as MATLAB does.
    expected = structural_similarity(
        *(plane[:, :, 0] for plane in PAIR),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        win_size=11,
    )
    assert ssim(*PAIR) == pytest.approx(expected, abs=1e-6)


def test_vif_is_sewars():
    # The numbers are those of vifp(PAIR[1], PAIR[0]) and the other way round, by sewar 0.4.10.
    assert vif(*PAIR) == pytest.approx(1.0360772178983282, abs=1e-6)
    assert vif(*reversed(PAIR)) == pytest.approx(0.9651790259509548, abs=1e-6)
    assert vif(PLANE, PLANE) == pytest.approx(1.0, abs=1e-9)
    assert vif(PLANE[:40], PLANE[:40]) is None
