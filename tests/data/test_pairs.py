import re

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.data.pairs import GivenPairs
from drnsr.data.prepare import Checks, Part, prepare_training_set
from drnsr.data.prepared import DataError
from drnsr.images.errors import ImageError
from drnsr.images.files import read_image
from tests.conftest import texture

RANDOM = np.random.default_rng(0)


def pairs(folder, *, scale=2, max_shift=0.25):
    """The given pairs of a folder."""
    high, low = (sorted((folder / part).iterdir()) for part in ("hr", f"lr_x{scale}"))
    return GivenPairs(high, {scale: low}, max_pixels=10**6, max_shift=max_shift)


def written(folder, name, pixels):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name)


def area_shrunk(pixels, scale=2):
    """Downscale with another program and another kernel."""
    height, width, _ = pixels.shape
    return cv2.resize(pixels, (width // scale, height // scale), interpolation=cv2.INTER_AREA)


def given(tmp_path, change, *, scale=2, **limits):
    """Return the LR of a pair whose LR was changed."""
    original = texture(240, 320, seed=3)
    written(tmp_path / "hr", "a.png", original)
    written(tmp_path / f"lr_x{scale}", f"ax{scale}.png", change(area_shrunk(original, scale)))
    return pairs(tmp_path, scale=scale, **limits)(tmp_path / "hr/a.png", original, scale)


PHOTOGRAPHIC = {
    "as it is": lambda lr: lr,
    "blurred": lambda lr: cv2.GaussianBlur(lr, (0, 0), 1.5),
    "noisy": lambda lr: np.uint8(np.clip(lr + RANDOM.normal(0, 25, lr.shape), 0, 255)),
    "of other brightness": lambda lr: np.uint8(0.6 * lr + 60),
    "recompressed": lambda lr: cv2.imdecode(
        cv2.imencode(".jpg", lr, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR
    ),
}


@pytest.mark.parametrize("change", PHOTOGRAPHIC)
def test_degradations_of_a_camera_are_accepted(change, tmp_path):
    lr = given(tmp_path, PHOTOGRAPHIC[change])
    assert_array_equal(lr, read_image(tmp_path / "lr_x2/ax2.png"))


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize(("right", "down"), [(1, 0), (-5, 9), (0, -0.5), (0.3, 0.3)])
def test_a_shift_is_found_in_its_size_and_direction(right, down, scale, tmp_path):
    def move(lr):
        transform = np.float64([[1, 0, right], [0, 1, down]])
        size = (lr.shape[1], lr.shape[0])
        return cv2.warpAffine(
            lr, transform, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )

    with pytest.raises(ImageError, match=r"lr_x./ax.\.png does not match a\.png") as caught:
        given(tmp_path, move, scale=scale)
    across, side, along, end = re.search(
        r"shifted ([0-9.]+) pixels to the (left|right) and ([0-9.]+) (up|down)",
        str(caught.value),
    ).groups()
    assert float(across) * (1 if side == "right" else -1) == pytest.approx(right, abs=0.1)
    assert float(along) * (1 if end == "down" else -1) == pytest.approx(down, abs=0.1)


def test_every_second_pixel_is_a_shift(tmp_path):
    original = texture(240, 320, seed=3)
    # LR pixel i stands for the original's 2i and 2i + 1, and here for 2i alone.
    with pytest.raises(ImageError, match=r"0\.25 pixels to the right and 0\.25 down"):
        given(tmp_path, lambda lr: np.ascontiguousarray(original[::2, ::2]))


def test_another_picture_is_refused(tmp_path):
    with pytest.raises(ImageError, match=r"does not match a\.png: another picture"):
        given(tmp_path, lambda lr: texture(120, 160, seed=4))


def test_a_picture_without_detail_passes(tmp_path):
    written(tmp_path / "hr", "sky.png", np.full((80, 80, 3), 200, np.uint8))
    written(tmp_path / "lr_x2", "sky.png", np.full((40, 40, 3), 190, np.uint8))
    pixels = read_image(tmp_path / "hr/sky.png")
    assert pairs(tmp_path)(tmp_path / "hr/sky.png", pixels, 2).mean() == 190


@pytest.mark.parametrize(
    ("high", "low"),
    [
        ("0001.png", "0001.png"),
        ("0001.png", "0001x2.png"),
        ("0001.png", "0001_x2.jpg"),
        ("img_001_SRF_2_HR.png", "img_001_SRF_2_LR.png"),
        ("Canon_001_HR.png", "Canon_001_LR2.png"),
    ],
)
def test_names_as_data_sets_have_them(high, low, tmp_path):
    original = texture(80, 80)
    written(tmp_path / "hr", high, original)
    written(tmp_path / "hr", "other.png", texture(80, 80, seed=5))
    written(tmp_path / "lr_x2", low, area_shrunk(original))
    written(tmp_path / "lr_x2", "other.png", area_shrunk(texture(80, 80, seed=5)))
    assert pairs(tmp_path)(tmp_path / "hr" / high, original, 2).shape == (40, 40, 3)


def test_a_picture_without_a_partner_is_named(tmp_path):
    written(tmp_path / "hr", "0001.png", texture(80, 80))
    written(tmp_path / "lr_x2", "0002.png", texture(40, 40))
    with pytest.raises(DataError, match=r"no LR of scale 2 for .*hr/0001\.png; the LR"):
        pairs(tmp_path)


def test_two_partners_are_named(tmp_path):
    written(tmp_path / "hr", "0001.png", texture(80, 80))
    for name in ("0001.png", "0001x2.png"):
        written(tmp_path / "lr_x2", name, texture(40, 40))
    with pytest.raises(DataError, match=r"0001x2\.png and .*0001\.png have the same name"):
        pairs(tmp_path)


def test_the_original_may_exceed_the_multiple_by_less_than_the_scale(tmp_path):
    original = texture(81, 80)
    written(tmp_path / "hr", "a.png", original)
    written(tmp_path / "lr_x2", "a.png", area_shrunk(original[:80]))
    assert pairs(tmp_path)(tmp_path / "hr/a.png", original, 2).shape == (40, 40, 3)
    message = "40 x 40 pixels, but 80 x 82 at scale 2 gives 40 x 41"
    with pytest.raises(ImageError, match=message):
        pairs(tmp_path)(tmp_path / "hr/a.png", texture(82, 80), 2)


def test_the_dataset_has_the_users_low_resolution(tmp_path):
    for number in range(3):
        original = texture(80, 90, seed=number)
        written(tmp_path / "hr", f"{number}.png", original)
        written(tmp_path / "lr_x2", f"{number}x2.png", area_shrunk(original))
    written(tmp_path / "lr_x2", "1x2.png", texture(40, 45, seed=9))
    dataset = prepare_training_set(
        [Part(sorted((tmp_path / "hr").iterdir()), 0.1)],
        tmp_path / "dataset",
        name="mine",
        scales=[2],
        low_resolution=pairs(tmp_path),
        checks=Checks("skip"),
    )
    assert [image.name for image in dataset.images] == ["0.png", "2.png"]
    assert_array_equal(dataset.lr(1, 2), read_image(tmp_path / "lr_x2/2x2.png"))
    assert_array_equal(dataset.hr(1), read_image(tmp_path / "hr/2.png"))
