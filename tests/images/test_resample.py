"""MATLAB's imresize to any size, in bands of rows."""

import numpy as np
import pytest
from PIL import Image

from drnsr.images.resample import resize_rows
from drnsr.images.resize import downscale, upscale
from tests.conftest import texture


def whole(pixels, wanted, band):
    bands = (pixels[top : top + band] for top in range(0, len(pixels), band))
    return np.concatenate(list(resize_rows(bands, pixels.shape[:2], wanted)))


@pytest.mark.parametrize("band", [1, 7, 60])
@pytest.mark.parametrize("kind", [np.uint8, np.float64])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_by_whole_numbers_it_is_the_resize_that_is_proven_by_matlabs_files(scale, kind, band):
    pixels = texture(60, 48).astype(kind)
    small = whole(pixels, (60 // scale, 48 // scale), band)
    large = whole(pixels, (60 * scale, 48 * scale), band)
    exact = dict.fromkeys(("rtol", "atol"), 0 if kind == np.uint8 else 1e-9)
    np.testing.assert_allclose(small, downscale(pixels, scale), **exact)
    np.testing.assert_allclose(large, upscale(pixels, scale), **exact)


@pytest.mark.parametrize("wanted", [(37, 41), (59, 48), (60, 47), (91, 80), (13, 120)])
def test_inside_it_is_pillows_bicubic_at_any_size(wanted):
    pixels = texture(60, 48, 1).astype(np.float64)
    made = whole(pixels, wanted, 11)[:, :, 0]
    image = Image.fromarray(pixels[:, :, 0].astype(np.float32), "F")
    other = np.asarray(image.resize(wanted[::-1], Image.Resampling.BICUBIC))
    inside = slice(8, -8) if min(wanted) > 20 else slice(4, -4)
    np.testing.assert_allclose(made[inside, 8:-8], other[inside, 8:-8], atol=1e-3)


def test_16_bits_are_rounded_and_clipped():
    edge = np.zeros((8, 20, 1), np.uint16)
    edge[:, 10:] = 65_535
    made = whole(edge, (8, 30), 8)
    assert made.dtype == np.uint16
    assert made[:, :10].max() < 10_000  # what would be below zero has not become white
    assert made[:, 20:].min() > 55_000
