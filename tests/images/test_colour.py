import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skimage.color import rgb2ycbcr

from drnsr.images.colour import gray_to_rgb, luma, luma_planes, rgb_to_ycbcr, ycbcr_to_rgb
from tests.conftest import texture


def test_luma_is_bt601_with_the_studio_range():
    # Black, white and the primaries, as ITU-R BT.601 has them.
    colours = np.uint8([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]])
    assert_allclose(luma(colours), [[16, 235, 81.481, 144.553, 40.966]], atol=1e-9)


def test_ycbcr_is_that_of_another_program_and_can_be_undone():
    picture = texture(9, 8)
    ycbcr = rgb_to_ycbcr(picture)
    assert_allclose(ycbcr, rgb2ycbcr(picture), atol=1e-9)
    assert_allclose(ycbcr[:, :, 0], luma(picture), atol=1e-9)
    assert_allclose(ycbcr_to_rgb(ycbcr), picture, atol=1e-9)


def test_the_luma_of_a_batch_is_the_luma_of_its_pictures():
    pictures = np.stack([texture(6, 5, seed=seed) for seed in range(2)])
    planes = luma_planes(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255)
    assert_allclose(planes[:, 0] * 255, [luma(picture) for picture in pictures], atol=1e-4)


def test_gray_becomes_three_equal_channels_and_rgb_stays():
    gray = np.uint8([[[1], [2]]])
    assert gray_to_rgb(gray).tolist() == [[[1, 1, 1], [2, 2, 2]]]
    rgb = np.uint8([[[1, 2, 3]]])
    assert_array_equal(gray_to_rgb(rgb), rgb)
