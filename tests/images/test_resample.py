"""MATLAB's imresize to any size, on bands of rows."""

import numpy as np
import pytest
from PIL import Image

from drnsr.images.picture import Box
from drnsr.images.resample import resize_part, resize_rows, source_span
from drnsr.images.resize import downscale, upscale
from tests.conftest import texture


def resize(pixels, new_size, band):
    bands = (pixels[top : top + band] for top in range(0, len(pixels), band))
    return np.concatenate(list(resize_rows(bands, pixels.shape[:2], new_size)))


@pytest.mark.parametrize("band", [1, 7, 60])
@pytest.mark.parametrize("kind", [np.uint8, np.float64])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_by_whole_numbers_it_equals_the_resize_that_is_tested_with_matlabs_files(scale, kind, band):
    pixels = texture(60, 48).astype(kind)
    small = resize(pixels, (60 // scale, 48 // scale), band)
    large = resize(pixels, (60 * scale, 48 * scale), band)
    exact = dict.fromkeys(("rtol", "atol"), 0 if kind == np.uint8 else 1e-9)
    np.testing.assert_allclose(small, downscale(pixels, scale), **exact)
    np.testing.assert_allclose(large, upscale(pixels, scale), **exact)


@pytest.mark.parametrize("new_size", [(37, 41), (59, 48), (60, 47), (91, 80), (13, 120)])
def test_away_from_the_border_it_is_pillows_bicubic(new_size):
    pixels = texture(60, 48, 1).astype(np.float64)
    resized = resize(pixels, new_size, 11)[:, :, 0]
    image = Image.fromarray(pixels[:, :, 0].astype(np.float32), "F")
    pillow = np.asarray(image.resize(new_size[::-1], Image.Resampling.BICUBIC))
    inside = slice(8, -8) if min(new_size) > 20 else slice(4, -4)
    np.testing.assert_allclose(resized[inside, 8:-8], pillow[inside, 8:-8], atol=1e-3)


def test_16_bits_are_rounded_and_clipped():
    edge = np.zeros((8, 20, 1), np.uint16)
    edge[:, 10:] = 65_535
    resized = resize(edge, (8, 30), 8)
    assert resized.dtype == np.uint16
    assert resized[:, :10].max() < 10_000  # negative values did not wrap around
    assert resized[:, 20:].min() > 55_000


@pytest.mark.parametrize("new_size", [(40, 60), (27, 45), (13, 51)])
def test_a_part_is_resized_as_the_whole_is(new_size):
    pixels = texture(20, 30)
    whole = np.concatenate(list(resize_rows([pixels], (20, 30), new_size)))
    box = Box(3, new_size[0] - 2, 5, new_size[1] - 10)
    top, bottom = source_span(20, new_size[0], box.top, box.bottom)
    left, right = source_span(30, new_size[1], box.left, box.right)
    part = resize_part(pixels[top:bottom, left:right], (top, left), (20, 30), new_size, box)
    np.testing.assert_array_equal(part, whole[box.top : box.bottom, box.left : box.right])
