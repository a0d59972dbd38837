"""The metrics against other libraries, and by hand."""

import numpy as np
import pytest
import torch
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import (
    structural_similarity_index_measure,
    visual_information_fidelity,
)

from drnsr.evaluation.metrics import METRICS, MetricError, get_metrics, psnr
from drnsr.evaluation.structural import ssim, vif
from drnsr.images.colour import luma
from drnsr.images.resize import crop_to_multiple, downscale, upscale
from tests.conftest import texture

PLANE = luma(texture(64, 80))[:, :, None]
PAIR = PLANE, PLANE * 0.9 + 5


def enlarged(picture, scale=2):
    """Bicubic's result beside its original, both in double precision."""
    reference = crop_to_multiple(picture, scale)
    return upscale(downscale(reference, scale), scale).astype(float), reference.astype(float)


def with_flat_parts(picture):
    """Black and white where photographs are over- and underexposed: there every variance is 0."""
    picture = picture.copy()
    picture[:60, :60], picture[60:, 100:] = 0, 255
    return picture


NOISE = np.random.default_rng(0).integers(0, 256, (61, 83, 3)).astype(float)

PAIRS = {
    "photograph-like, odd sizes": enlarged(texture(123, 165)),
    "gray": enlarged(texture(128, 97, channels=1), 3),
    "luma, not rounded": tuple(luma(each)[:, :, None] for each in enlarged(texture(100, 140), 4)),
    "flat parts": enlarged(with_flat_parts(texture(120, 150))),
    "noise beside a photograph": (NOISE, texture(61, 83).astype(float)),
    "more contrast": (PLANE * 1.5 - 60, PLANE),
    "a negative": (255 - PLANE, PLANE),
    "equal": (PLANE, PLANE),
    "the smallest for VIF": (NOISE[:41, :41], NOISE[1:42, 1:42]),
}


def batches(pair):
    return [torch.from_numpy(each.transpose(2, 0, 1).copy())[None] for each in pair]


def torchmetrics_ssim(*pair):
    _, windows = structural_similarity_index_measure(
        *batches(pair), data_range=255.0, sigma=1.5, k1=0.01, k2=0.03, return_full_image=True
    )
    # MATLAB averages only where the whole window fits.
    return windows[:, :, 5:-5, 5:-5].mean()


# For each metric an independent program, and how far its number may be from ours.
ORACLES = {
    "psnr": (lambda *pair: peak_signal_noise_ratio(*pair, data_range=255), 5e-6),
    "ssim": (torchmetrics_ssim, 1e-9),
    "vif": (lambda *pair: visual_information_fidelity(*batches(pair)), 1e-9),
}


@pytest.mark.filterwarnings("ignore:divide by zero")  # the PSNR of equal pictures
@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("name", ORACLES)
def test_every_metric_agrees_with_an_independent_program(name, pair):
    metric, (oracle, tolerance) = METRICS[name], ORACLES[name]
    assert metric.compute(*pair, 2) == pytest.approx(float(oracle(*pair)), abs=tolerance)


def test_psnr_by_hand():
    plane = np.full((12, 12, 3), 100.0)
    # An error of 1 everywhere: 10 log10(255^2).
    assert psnr(plane, plane + 1) == pytest.approx(48.1308036, abs=5e-6)


def test_ssim_agrees_with_skimage_with_the_settings_of_the_paper():
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


def test_vif_agrees_with_sewar():
    # The numbers are those of vifp(PAIR[1], PAIR[0]) and the other way round, by sewar 0.4.10.
    assert vif(*PAIR) == pytest.approx(1.0360772178983282, abs=1e-6)
    assert vif(*reversed(PAIR)) == pytest.approx(0.9651790259509548, abs=1e-6)
    assert vif(PLANE, PLANE) == pytest.approx(1.0, abs=1e-9)


def test_vif_is_not_defined_for_small_or_one_coloured_pictures():
    assert vif(PLANE[:40], PLANE[:40]) is None
    for one_colour in (np.full(PLANE.shape, value) for value in (0.0, 127.3, 254.7)):
        assert vif(PLANE, one_colour) is None
        assert vif(one_colour, PLANE) == pytest.approx(0, abs=1e-9)


def test_metrics_by_name():
    assert [metric.name for metric in get_metrics(["ssim", " psnr", "ssim"])] == ["ssim", "psnr"]
    with pytest.raises(MetricError, match=r"metrics: 'lpips' is unknown \(known: psnr, ssim"):
        get_metrics(["psnr", "lpips"])


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_metric_ranks_scale_2_above_scale_4(metric):
    # A texture is no natural picture, and NIQE needs 194 x 194 pixels of luma.
    natural = luma(astronaut()).round()[:, :, None]
    picture = texture(96, 96) if metric.needs_reference else natural.astype(np.uint8)
    better, worse = enlarged(picture, 2), enlarged(picture, 4)
    first, second = metric.compute(*better, 2), metric.compute(*worse, 2)
    assert (first > second) is metric.higher_is_better
