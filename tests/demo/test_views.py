"""Views: the displayed pixels, previews and crops."""

import base64
import io

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.demo.views import CROP_HEIGHT, CROP_WIDTH, View, write_preview
from drnsr.images.picture import from_array
from drnsr.images.resize import upscale
from drnsr.reporting.display import DisplayRange
from tests.conftest import texture

FULL_RANGE = DisplayRange(0.0, 1.0)


def test_eight_bits_are_displayed_unchanged(tmp_path):
    assert_array_equal(
        View.of_picture(tmp_path / "a.rgb", from_array(texture(130, 30)), FULL_RANGE, None).pixels,
        texture(130, 30),
    )


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_is_that_of_matlab(tmp_path, scale):
    pixels = texture(70, 20)
    view = View.bicubic(
        tmp_path / "b.rgb", from_array(pixels), (20 * scale, 70 * scale), FULL_RANGE, None
    )
    assert_array_equal(view.pixels, upscale(pixels, scale))


def test_transparent_pixels_show_one_checkerboard(tmp_path):
    transparent = from_array(np.zeros((50, 20, 4), np.uint8))
    upscaled = from_array(np.zeros((200, 80, 4), np.uint8))
    before = View.bicubic(tmp_path / "b.rgb", transparent, (80, 200), FULL_RANGE, None).pixels
    assert_array_equal(
        before, View.of_picture(tmp_path / "a.rgb", upscaled, FULL_RANGE, None).pixels
    )
    assert_array_equal(before[16:], before[:-16])
    assert_array_equal(before[8:, 8:], before[:-8, :-8])


@pytest.mark.parametrize(
    ("before", "after"),
    [((3200, 900), (1600, 450)), ((400, 500), (400, 500)), ((40, 10), (320, 80))],
)
def test_a_preview_fits_the_page(tmp_path, before, after):
    write_preview(tmp_path / "a.png", Image.new("RGB", before), b"a profile")
    with Image.open(tmp_path / "a.png") as preview:
        assert preview.size == after
        assert preview.info["icc_profile"] == b"a profile"


def test_a_crop_has_the_pixels_of_the_view(tmp_path):
    view = View.of_picture(tmp_path / "a.rgb", from_array(texture(200, 300)), FULL_RANGE, None)
    media_type, _, text = view.crop_url(17, 5).partition(",")
    assert media_type == "data:image/png;base64"
    crop = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))
    assert_array_equal(crop, texture(200, 300)[5 : 5 + CROP_HEIGHT, 17 : 17 + CROP_WIDTH])
