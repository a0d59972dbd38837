import numpy as np
import pytest

from drnsr.evaluation.benchmark import Measured, Result
from drnsr.images.resize import downscale, upscale
from drnsr.reporting.pictures import draw_panels, hardest_crop, write_panels
from tests.conftest import texture


def measured(height=96, width=120, scale=2):
    hr = texture(height, width)
    lr = downscale(hr, scale)
    bicubic = upscale(lr, scale)
    results = {
        "bicubic": Result(bicubic, {"psnr": 30, "ssim": 0.9}),
        "model": Result(hr, {"psnr": 31.5, "ssim": 0.91}),
    }
    return Measured("wave.png", lr, hr, 100, results)


def test_the_hardest_crop_has_the_largest_error():
    hr = np.zeros((100, 120, 3), np.uint8)
    wrong = hr.copy()
    wrong[60:70, 33:40] = 200
    top, left = hardest_crop(hr, wrong, 20, multiple=4)
    assert (top % 4, left % 4) == (0, 0)
    assert top <= 60
    assert top + 20 >= 70
    assert left <= 33
    assert left + 20 >= 40


def test_the_panels_show_unchanged_pixels():
    picture = np.asarray(draw_panels(measured(), "edsr"))
    top, left = hardest_crop(measured().hr, measured().results["bicubic"].picture, 48, multiple=2)
    # The model here is HR itself: the last two panels are the same pixels.
    colours = {
        tuple(pixel) for pixel in measured().hr[top : top + 48, left : left + 48].reshape(-1, 3)
    }
    panel = picture[60:270, -240:-20].reshape(-1, 3)
    assert {tuple(pixel) for pixel in panel} <= colours | {(255, 255, 255)}


@pytest.mark.parametrize(("height", "width", "scale"), [(30, 200, 2), (47 * 3, 9 * 3, 3)])
def test_pictures_smaller_than_the_crop_are_drawn_too(tmp_path, height, width, scale):
    write_panels(tmp_path / "picture.png", measured(height, width, scale), "edsr")
    assert (tmp_path / "picture.png").stat().st_size > 1000
