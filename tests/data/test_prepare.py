import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.data import readers
from drnsr.data.prepare import Checks, Part, prepare_benchmark, prepare_training_set
from drnsr.data.prepared import DataError, PreparedDataset
from drnsr.images.colour import gray_to_rgb
from drnsr.images.files import read_image
from drnsr.images.resize import crop_to_multiple, downscale
from tests.conftest import PROJECT, texture

ENVIRONMENT = os.environ | {"PYTHONPATH": str(PROJECT / "src")}


def dataset(pictures, folder, fraction=0.25, **more):
    return prepare_training_set(
        [Part(sorted(pictures.iterdir()), fraction)],
        folder,
        name="mine",
        scales=[2, 3],
        **more,
    )


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_prepared_pictures_are_unchanged(picture_folder, tmp_path):
    dataset(picture_folder, tmp_path / "dataset")
    opened = PreparedDataset.open(tmp_path / "dataset")
    assert opened.name == "mine"
    for number, image in enumerate(opened.images):
        original = gray_to_rgb(read_image(picture_folder / image.name))
        assert_array_equal(opened.hr(number), original)
        for scale in (2, 3):
            cropped = crop_to_multiple(original, scale)
            assert_array_equal(opened.lr(number, scale), downscale(cropped, scale))


def test_dense_lr_has_the_bicubic_lr_of_each_shift(picture_folder, tmp_path):
    made = dataset(picture_folder, tmp_path / "dataset", dense=True)
    opened = PreparedDataset.open(tmp_path / "dataset")
    assert opened.is_dense
    assert set(opened.files) == {"hr.u8", "lr_x2.u8", "lr_x3.u8", "dense_x2.u8", "dense_x3.u8"}
    opened.verify()
    for number in range(len(made.images)):
        hr, dense = opened.hr(number), opened.dense_lr(number, 3)
        assert_array_equal(
            dense[::3, ::3][: hr.shape[0] // 3, : hr.shape[1] // 3], made.lr(number, 3)
        )
        shifted = downscale(crop_to_multiple(hr[2:, 1:], 3), 3)
        found = dense[2::3, 1::3]
        assert_array_equal(found[: shifted.shape[0], : shifted.shape[1]], shifted)


def test_too_small_for_every_shift_is_refused(tmp_path):
    for name, height in (("a", 32), ("b", 32), ("small", 4)):
        pixels = texture(height, 32, seed=ord(name[0]))
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    with pytest.raises(DataError, match=r"small.png: 32 x 4 pixels, but no side may be below 5"):
        dataset(tmp_path, tmp_path / "dataset", dense=True)


def test_the_number_of_workers_changes_no_byte(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(12):  # the first ones take the longest
        pixels = texture(40 + 300 // (number + 1), 60, seed=number)
        Image.fromarray(pixels).save(pictures / f"{number:02}.png")
    dataset(pictures, tmp_path / "one", workers=1)
    dataset(pictures, tmp_path / "many", workers=5)
    assert content(tmp_path / "many") == content(tmp_path / "one")


def test_each_picture_is_decoded_once(picture_folder, tmp_path, monkeypatch):
    decoded = []
    original = readers.read_image

    def count(path, **limits):
        decoded.append(path.name)
        return original(path, **limits)

    monkeypatch.setattr(readers, "read_image", count)
    dataset(picture_folder, tmp_path / "dataset")
    assert sorted(decoded) == [f"picture{number}.png" for number in range(4)]


def test_the_split_follows_the_content_and_not_the_order(picture_folder, tmp_path):
    def validation(folder):
        opened = dataset(picture_folder, folder)
        return {image.sha256 for image in opened.images if image.split == "validation"}

    before = validation(tmp_path / "a")
    (picture_folder / "picture0.png").rename(picture_folder / "z.png")
    assert len(before) == 1
    assert validation(tmp_path / "b") == before


def test_something_is_always_left_to_train_on(picture_folder, tmp_path):
    splits = [image.split for image in dataset(picture_folder, tmp_path / "dataset", 1.0).images]
    assert splits.count("train") == 1


def test_the_fingerprint_knows_every_pixel(picture_folder, tmp_path):
    before = dataset(picture_folder, tmp_path / "a").fingerprint
    assert dataset(picture_folder, tmp_path / "b").fingerprint == before
    pixels = read_image(picture_folder / "picture0.png").copy()
    pixels[5, 5, 0] ^= 1
    Image.fromarray(pixels).save(picture_folder / "picture0.png")
    assert dataset(picture_folder, tmp_path / "c").fingerprint != before


def test_every_bad_picture_is_named_and_no_dataset_is_left(picture_folder, tmp_path):
    (picture_folder / "picture0.png").write_bytes(b"text")
    whole = (picture_folder / "picture1.png").read_bytes()
    (picture_folder / "picture1.png").write_bytes(whole[:-200])
    with pytest.raises(DataError) as caught:
        dataset(picture_folder, tmp_path / "dataset")
    message = str(caught.value)
    assert message.startswith("2 of 4 pictures cannot be used")
    assert "picture0.png: not a picture" in message
    assert "picture1.png: damaged" in message
    assert "\n" not in message
    with pytest.raises(DataError, match="no prepared data here"):
        PreparedDataset.open(tmp_path / "dataset")


def spoil(folder):
    """Make one picture unreadable, one too small and one too large; the fourth is unchanged."""
    (folder / "picture0.png").write_bytes(b"text")
    Image.fromarray(texture(31, 90)).save(folder / "picture1.png")
    Image.fromarray(texture(300, 300)).save(folder / "picture2.png")


CHECKS = {"max_pixels": 50_000, "min_side": 32}


def test_every_requirement_is_checked_and_named(picture_folder, tmp_path):
    spoil(picture_folder)
    with pytest.raises(DataError, match="3 of 4 pictures cannot be used") as caught:
        dataset(picture_folder, tmp_path / "dataset", checks=Checks("fail", **CHECKS))
    message = str(caught.value)
    assert "picture0.png: not a picture" in message
    assert "picture1.png: 90 x 31 pixels, but no side may be below 32" in message
    assert "picture2.png: 300 x 300 pixels, more than the limit of 50,000" in message


def test_bad_pictures_can_be_left_out_and_are_named(picture_folder, tmp_path, caplog):
    spoil(picture_folder)
    Image.fromarray(texture(100, 100, seed=7)).save(picture_folder / "good.png")
    packed = dataset(picture_folder, tmp_path / "dataset", checks=Checks("skip", **CHECKS))
    assert [image.name for image in packed.images] == ["good.png", "picture3.png"]
    assert_array_equal(packed.hr(0), read_image(picture_folder / "good.png"))
    left_out = json.loads((tmp_path / "dataset/index.json").read_text())["left_out"]
    assert list(left_out) == ["picture0.png", "picture1.png", "picture2.png"]
    for name, reason in left_out.items():
        assert f"left out: {picture_folder / name}: {reason}" in caplog.messages


def test_messages_name_the_users_own_files(picture_folder, tmp_path, caplog):
    spoil(picture_folder)
    own = {path: Path("/home/me", path.name) for path in picture_folder.iterdir()}
    with pytest.raises(DataError) as caught:
        dataset(
            picture_folder,
            tmp_path / "dataset",
            checks=Checks("fail", **CHECKS),
            original_paths=own,
        )
    assert "/home/me/picture0.png: not a picture" in str(caught.value)
    assert str(picture_folder) not in str(caught.value)
    Image.fromarray(texture(100, 100, seed=7)).save(picture_folder / "good.png")
    for original_paths in (own, None):
        folder = tmp_path / f"dataset{original_paths is None}"
        dataset(
            picture_folder, folder, checks=Checks("skip", **CHECKS), original_paths=original_paths
        )
    assert "left out: /home/me/picture1.png: 90 x 31 pixels" in caplog.text
    # The dataset does not depend on the paths of the user's files.
    assert content(tmp_path / "datasetTrue") == content(tmp_path / "datasetFalse")


def test_too_few_pictures_after_leaving_out_are_refused(picture_folder, tmp_path):
    spoil(picture_folder)
    with pytest.raises(DataError, match="mine has 1 picture that can be used; at least two"):
        dataset(picture_folder, tmp_path / "dataset", checks=Checks("skip", **CHECKS))
    with pytest.raises(DataError, match="no prepared data here"):
        PreparedDataset.open(tmp_path / "dataset")


def test_the_same_picture_twice_is_named(picture_folder, tmp_path):
    shutil.copy(picture_folder / "picture0.png", picture_folder / "twin.png")
    with pytest.raises(DataError, match=r"twin\.png: the same picture as picture0\.png"):
        dataset(picture_folder, tmp_path / "dataset")


def test_a_failed_second_attempt_leaves_no_older_dataset(picture_folder, tmp_path):
    dataset(picture_folder, tmp_path / "dataset")
    (picture_folder / "picture0.png").write_bytes(b"text")
    with pytest.raises(DataError, match="1 of 4 pictures"):
        dataset(picture_folder, tmp_path / "dataset")
    with pytest.raises(DataError, match="no prepared data here"):
        PreparedDataset.open(tmp_path / "dataset")


def test_one_picture_is_too_few(picture_folder, tmp_path):
    for number in (1, 2, 3):
        (picture_folder / f"picture{number}.png").unlink()
    with pytest.raises(DataError, match="mine has 1 picture; at least two are needed"):
        dataset(picture_folder, tmp_path / "dataset")


KILLED = """
import os, signal, sys
from pathlib import Path
from drnsr.data.prepare import Part, prepare_training_set

def die_midway(items, description, total):
    for number, item in enumerate(items):
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        yield item

pictures, folder = map(Path, sys.argv[1:])
parts = [Part(sorted(pictures.iterdir()), 0.25)]
prepare_training_set(parts, folder, name="mine", scales=[2, 3], progress=die_midway)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_preparation_leaves_no_dataset_and_can_be_repeated(picture_folder, tmp_path):
    dataset(picture_folder, tmp_path / "undisturbed")
    dataset(
        picture_folder, tmp_path / "killed"
    )  # an older one, which must not be taken for the new
    command = [sys.executable, "-c", KILLED, picture_folder, tmp_path / "killed"]
    assert subprocess.run(command, env=ENVIRONMENT).returncode == -signal.SIGKILL
    assert (tmp_path / "killed" / "hr.u8").exists()
    with pytest.raises(DataError, match="no prepared data here"):
        PreparedDataset.open(tmp_path / "killed")
    dataset(picture_folder, tmp_path / "killed")
    assert content(tmp_path / "killed") == content(tmp_path / "undisturbed")


def test_a_full_disk_names_the_place_and_leaves_nothing(picture_folder, tmp_path, small_disk):
    with pytest.raises(OSError, match="File too large") as caught:
        dataset(picture_folder, tmp_path / "dataset")
    assert caught.value.filename == str(tmp_path / "dataset")
    assert not list((tmp_path / "dataset").iterdir())


def change_a_byte(path):
    content = bytearray(path.read_bytes())
    content[1234] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["hr.u8", "lr_x2.u8"])
@pytest.mark.parametrize(
    "harm",
    [change_a_byte, lambda path: os.truncate(path, 5000), Path.unlink],
    ids=["changed", "cut off", "gone"],
)
def test_changed_pixel_files_are_detected(picture_folder, tmp_path, name, harm):
    dataset(picture_folder, tmp_path / "dataset").verify()
    harm(tmp_path / "dataset" / name)
    with pytest.raises(DataError, match=rf"{name}: missing, changed or truncated") as caught:
        PreparedDataset.open(tmp_path / "dataset").verify()
    assert "\n" not in str(caught.value)


def test_a_benchmark_keeps_gray_gray(picture_folder, tmp_path):
    opened = prepare_benchmark(sorted(picture_folder.iterdir()), tmp_path / "dataset", name="mine")
    assert [image.channels for image in opened.images] == [3, 3, 3, 1]
    assert_array_equal(opened.hr(3), read_image(picture_folder / "picture3.png"))


def test_a_benchmark_refuses_two_pictures_of_one_name(picture_folder, tmp_path):
    (picture_folder / "picture3.png").rename(picture_folder / "picture0.bmp")
    own = {picture_folder / "picture0.bmp": Path("/home/me/picture0.bmp")}
    with pytest.raises(DataError, match="more than one picture called picture0: ") as caught:
        prepare_benchmark(
            sorted(picture_folder.iterdir()), tmp_path / "dataset", name="mine", original_paths=own
        )
    assert f"/home/me/picture0.bmp and {picture_folder / 'picture0.png'}" in str(caught.value)


def test_parts_are_split_and_shrunk_each_by_itself(tmp_path):
    """As with the data set open_photos, whose large JPEG photographs are halved."""
    folders = {"large": (tmp_path / "large", (71, 93)), "small": (tmp_path / "small", (40, 33))}
    pictures = {}
    for part, (folder, size) in folders.items():
        folder.mkdir()
        for number in range(3):
            name = f"{part}{number}.png"
            pictures[name] = texture(*size, seed=number)
            Image.fromarray(pictures[name]).save(folder / name)
    parts = [
        Part(sorted(folders["large"][0].iterdir()), 0.5, {"large[01]*": 2, "*": 3}, "large"),
        Part(sorted(folders["small"][0].iterdir()), "small1.png", name="small"),
    ]
    made = prepare_training_set(parts, tmp_path / "dataset", name="both", scales=[2])
    assert [image.name for image in made.images] == sorted(pictures)
    assert [image.part for image in made.images] == ["large"] * 3 + ["small"] * 3
    for number, image in enumerate(made.images):
        factor = {"large0.png": 2, "large1.png": 2, "large2.png": 3}.get(image.name, 1)
        whole = pictures[image.name]
        height, width = (side // factor * factor for side in whole.shape[:2])
        expected = downscale(whole[:height, :width], factor)
        assert_array_equal(made.hr(number), expected)
        assert_array_equal(made.lr(number, 2), downscale(crop_to_multiple(expected, 2), 2))
    withheld = [image for image in made.images if image.split == "validation"]
    large = sorted(image.sha256 for image in made.images if image.part == "large")
    assert [i.name for i in withheld if i.part == "small"] == ["small1.png"]
    assert sorted(i.sha256 for i in withheld if i.part == "large") == large[:2]
    again = prepare_training_set(parts, tmp_path / "again", name="both", scales=[2])
    assert again.fingerprint == made.fingerprint


def test_a_part_of_one_picture_is_too_small(picture_folder, tmp_path):
    pictures = sorted(picture_folder.iterdir())
    parts = [Part(pictures[:3], 0.1, name="a"), Part(pictures[3:], 0.1, name="b")]
    with pytest.raises(DataError, match=r"the data set both has 1 picture in the part b;"):
        prepare_training_set(parts, tmp_path / "dataset", name="both", scales=[2])
