"""Holes (NaN, infinity, nodata) stay where they are, and do not affect their neighbours."""

import numpy as np
import pytest
import tifffile

from drnsr.images.picture import from_array
from drnsr.images.reading import open_picture
from drnsr.upscale.models import OutputSize
from tests.images.pictures import bicubic, far

LEVEL = 120.0


def ground(dtype, value):
    """Return a constant picture with a hole; its first row gives it a value range."""
    pixels = np.full((40, 50), LEVEL, dtype)
    pixels[0] = 100
    pixels[20:26, 30:33] = value
    return pixels


def nearest(flags, height, width):
    """Return the flags at the centres of the new pixels."""
    rows = ((np.arange(height) + 0.5) * flags.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * flags.shape[1] / width).astype(int)
    return flags[rows][:, columns]


LOWEST = np.finfo(np.float32).min
VALUES = [np.nan, np.inf, -np.inf, LOWEST, -LOWEST, 1e30, -1e38]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "target",
    [OutputSize(scale=2), OutputSize(factor=1.5), OutputSize(size=(77, 41))],
    ids=["2", "1.5", "size"],
)
def test_floats_that_mark_missing_values_are_no_data(enlarged, tmp_path, value, dtype, target):
    before = ground(dtype, value)
    tifffile.imwrite(tmp_path / "a.tif", before)
    with open_picture(tmp_path / "a.tif") as file:
        assert file.pages[0].picture.value_range == (100, LEVEL)
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif", target, tile=16))
    hole = nearest(before != LEVEL, *made.shape)
    hole[: len(made) // 4] = False
    assert made.shape == target.for_picture(50, 40)[::-1]
    assert hole.any()
    assert np.array_equal(made[hole], np.full(hole.sum(), value, dtype), equal_nan=True)
    far_below = made[len(made) // 4 :][~hole[len(made) // 4 :]]
    assert np.abs(far_below - LEVEL).max() < 1e-3


@pytest.mark.parametrize("value", [65_504, -65_504, np.inf])
def test_half_precision_floats_are_upscaled(enlarged, tmp_path, value):
    tifffile.imwrite(tmp_path / "a.tif", ground(np.float16, value))
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif"))
    assert (made == value).sum() == 4 * 18
    assert np.abs(made[8:][made[8:] != value] - LEVEL).max() <= 0.1


@pytest.mark.parametrize("factor", [1.3, 1.5, 1.99])
def test_nodata_stays_nodata_at_any_size(enlarged, tmp_path, factor):
    before = ground(np.int16, 121)  # the next value after 120, which rounding could produce
    before[30:, 5:] = np.random.default_rng(0).choice(np.int16([119, 120, 122, 123]), (10, 45))
    tifffile.imwrite(tmp_path / "a.tif", before, extratags=[(42113, 2, 4, b"121\0", True)])
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif", OutputSize(factor=factor)))
    assert np.array_equal(made == 121, nearest(before == 121, *made.shape))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_nodata_may_be_the_largest_value(enlarged, tmp_path, dtype):
    largest = np.iinfo(dtype).max
    before = ground(dtype, largest)
    before[30:, 5:] = largest - 1  # the network's overshoot could round it to nodata
    before[30:, 25:] = 100
    tag = f"{largest}\0"
    tifffile.imwrite(tmp_path / "a.tif", before, extratags=[(42113, 2, len(tag), tag, True)])
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif"))
    assert np.array_equal(made == largest, nearest(before == largest, *made.shape))


def test_nan_with_alpha_does_not_spread(enlarged, tmp_path):
    rgba = np.full((30, 30, 4), 0.5, np.float32)
    rgba[0, :, :3] = 0.25
    rgba[10:12, 10:12, :3] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif"))
    assert np.isnan(made).sum() == 4 * 4 * 3
    assert np.abs(made[8:][~np.isnan(made[8:])] - 0.5).max() < 1e-5


def test_large_valid_values_are_kept(enlarged, tmp_path):
    pixels = (np.arange(20 * 20, dtype=np.float64).reshape(20, 20) + 1) * 1e27
    assert from_array(pixels[:, :, None]).known(pixels).all()
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif"))
    assert far(made, bicubic(pixels)) < 1e-4 * 4e29
