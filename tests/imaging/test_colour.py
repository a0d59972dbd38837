import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from drnsr.imaging.colour import gray_to_rgb, luma


def test_luma_is_bt601_with_the_studio_range():
    # Black, white and the primaries, as ITU-R BT.601 has them.
    colours = np.uint8([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]])
    assert_allclose(luma(colours), [[16, 235, 81.481, 144.553, 40.966]], atol=1e-9)


def test_gray_becomes_three_equal_channels_and_rgb_stays():
    gray = np.uint8([[[1], [2]]])
    assert gray_to_rgb(gray).tolist() == [[[1, 1, 1], [2, 2, 2]]]
    rgb = np.uint8([[[1, 2, 3]]])
    assert_array_equal(gray_to_rgb(rgb), rgb)
