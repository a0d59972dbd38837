"""The withheld part of a picture has no effect on the training part."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.data.prepared import DataError
from drnsr.data.single import withhold, write_parts
from drnsr.evaluation.protocol import get_protocol
from drnsr.images.files import read_image
from tests.conftest import texture


def test_zero_shot_trains_on_the_low_resolution_alone():
    picture = texture(65, 83)
    seen, withheld = withhold(picture, "zero_shot", 2)
    lr, _ = get_protocol("paper_y").prepare(picture, 2)
    assert_array_equal(seen, lr)
    assert_array_equal(withheld, picture)


def test_a_change_in_the_right_half_is_not_seen():
    picture = texture(64, 81)
    changed = picture.copy()
    changed[:, 40:] = 255 - changed[:, 40:]
    seen, withheld = withhold(picture, "half", 2)
    assert_array_equal(seen, withhold(changed, "half", 2)[0])
    assert_array_equal(np.hstack([seen, withheld]), picture)


@pytest.fixture
def image(tmp_path):
    Image.fromarray(texture(64, 80)).save(tmp_path / "parrot.png")
    return tmp_path / "parrot.png"


def test_the_validation_strip_is_not_trained_on(image, tmp_path):
    write_parts(image, tmp_path / "train", tmp_path / "test", mode="half", scale=2)
    training, validation = (
        read_image(tmp_path / "train" / name) for name in ("training.png", "validation.png")
    )
    assert len(validation) == 8
    assert_array_equal(np.vstack([training, validation]), read_image(image)[:, :40])
    assert_array_equal(read_image(tmp_path / "test/parrot.png"), read_image(image)[:, 40:])


@pytest.mark.parametrize(
    ("mode", "scale", "message"),
    [
        ("all", 2, "mode: all is none of zero_shot, half"),
        ("zero_shot", 16, r"parrot\.png: 80 x 64 pixels are too few"),
    ],
)
def test_a_mistake_is_named_and_nothing_written(image, tmp_path, mode, scale, message):
    with pytest.raises(DataError, match=message):
        write_parts(image, tmp_path / "train", tmp_path / "test", mode=mode, scale=scale)
    assert not (tmp_path / "train").exists()
