import csv
from hashlib import sha256
from importlib.resources import files

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from drnsr.images.files import read_image
from drnsr.images.resize import crop_to_multiple, downscale, upscale
from tests.conftest import PROJECT, benchmark_files, texture

# Of pictures in scikit-image's wheel; noted when this very resize gave every MATLAB-made file of
# Set5 and Set14 bit for bit, so that a machine without those files would see a change.
NOTED = list(csv.DictReader((PROJECT / "tests/oracles/imresize.csv").open()))


def cubic(x: float) -> float:
    """Keys' kernel with a = -0.5, straight from the 1981 paper."""
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def by_definition(row: np.ndarray, size: int) -> np.ndarray:
    """Resize one row by the textbook sum over all taps, border replicated; slow and plain."""
    ratio = size / len(row)
    stretch = min(ratio, 1.0)
    result = np.zeros(size)
    for out in range(size):
        centre = (out + 0.5) / ratio - 0.5
        taps = range(int(centre - 3 / stretch), int(centre + 3 / stretch) + 2)
        weights = np.array([cubic((centre - tap) * stretch) for tap in taps])
        values = np.array([row[min(max(tap, 0), len(row) - 1)] for tap in taps])
        result[out] = (weights * values).sum() / weights.sum()
    return result


@pytest.mark.parametrize("name", ["Set5", "Set14"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_downscale_is_bit_for_bit_what_matlab_made(mirror, name, scale):
    for hr_file, lr_file in benchmark_files(mirror, name, scale):
        assert_array_equal(downscale(read_image(hr_file), scale), read_image(lr_file))


@pytest.mark.parametrize("noted", NOTED, ids=lambda row: f"{row['picture']}-{row['scale']}")
def test_the_result_has_not_changed_since_it_was_compared_with_matlab(noted):
    scale = int(noted["scale"])
    hr = crop_to_multiple(read_image(files("skimage.data") / noted["picture"]), scale)
    lr = downscale(hr, scale)
    assert sha256(lr.tobytes()).hexdigest() == noted["downscaled"]
    assert sha256(upscale(lr, scale).tobytes()).hexdigest() == noted["upscaled_again"]


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 8])
def test_float_resize_is_the_kernel_by_definition(scale):
    row = np.random.default_rng(scale).random(10 * scale)
    image = np.repeat(row[None, :, None], scale, axis=0)  # constant along y
    assert_allclose(downscale(image, scale)[0, :, 0], by_definition(row, 10), atol=1e-12)
    assert_allclose(upscale(image, scale)[0, :, 0], by_definition(row, 10 * scale**2), atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3])
def test_uint8_is_rounded_half_up_after_each_pass_the_vertical_one_first(scale):
    image = texture(8 * scale, 9 * scale, 1)
    rows = np.array([by_definition(column, 8) for column in image[:, :, 0].T]).T
    rows = np.clip(np.floor(rows + 0.5), 0, 255)
    expected = np.array([by_definition(row, 9) for row in rows])
    expected = np.clip(np.floor(expected + 0.5), 0, 255)
    difference = downscale(image, scale)[:, :, 0].astype(int) - expected
    # Where the exact value lies at one half, the order of summation decides.
    assert (difference != 0).mean() < 0.01
    assert abs(difference).max() <= 1


def test_a_constant_picture_stays_constant():
    gray = np.full((12, 12, 3), 77, np.uint8)
    assert (downscale(gray, 4) == 77).all()
    assert (upscale(gray, 3) == 77).all()


def test_tiny_pictures_are_resized():
    one = np.full((1, 1, 3), 200, np.uint8)
    assert upscale(one, 4).shape == (4, 4, 3)
    assert downscale(np.full((3, 3, 1), 9, np.uint8), 3).tolist() == [[[9]]]


def test_a_size_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="10 x 9 pixels is not divisible by 4"):
        downscale(np.zeros((9, 10, 3), np.uint8), 4)


def test_crop_to_multiple_cuts_bottom_and_right():
    image = texture(10, 11)
    assert_array_equal(crop_to_multiple(image, 4), image[:8, :8])
    assert crop_to_multiple(image, 1).shape == image.shape
