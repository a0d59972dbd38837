"""The tasks of the demo give the files of `drnsr upscale`, or one line about what is wrong."""

import re

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.cli import main
from drnsr.demo import tasks
from drnsr.demo.tasks import (
    RUNTIME_OPTIONS,
    Progress,
    inspect_upload,
    safe_file_name,
    upscale_upload,
)
from drnsr.demo.views import CROP_HEIGHT, CROP_WIDTH
from drnsr.errors import UserError
from drnsr.images.resize import upscale
from drnsr.networks import VDSR
from drnsr.upscale.models import Models
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture

PROGRESS = Progress(lambda fraction: None)


@pytest.fixture
def model(tmp_path):
    """A file of an untrained network of two scales."""
    path = tmp_path / "vdsr.safetensors"
    save_model(path, VDSR(scales=[2, 3], num_features=4, num_layers=3), Origin())
    return path


@pytest.fixture
def folder(tmp_path):
    """For what is result."""
    folder = tmp_path / "made"
    folder.mkdir()
    return folder


def write_upload(folder, name, pixels):
    if name.endswith(".tif"):
        tifffile.imwrite(folder / name, pixels)
    else:
        Image.fromarray(pixels).save(folder / name)
    return folder / name


def deep(height, width):
    """Return a 16-bit gray picture."""
    return texture(height, width, 1)[:, :, 0].astype(np.uint16) * 257


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("a picture, of mine.png", texture(20, 30)),
        ("gray.jpg", texture(20, 30, 1)[:, :, 0]),
        ("transparent.png", texture(20, 30, 4)),
        ("deep.tif", deep(20, 30)),
        ("deep.png", deep(20, 30)),
    ],
)
def test_the_result_is_the_file_of_drnsr_upscale(tmp_path, folder, model, name, pixels):
    file = write_upload(tmp_path, name, pixels)
    upload = inspect_upload(file, folder, PROGRESS)
    result = upscale_upload(
        upload, Models.from_file(model, RUNTIME_OPTIONS), 3, folder, tmp_path, PROGRESS
    )
    main(
        [
            "upscale",
            str(file),
            "--model",
            str(model),
            "--scale",
            "3",
            "--out",
            str(tmp_path / "out"),
        ]
    )
    [wanted] = (tmp_path / "out").iterdir()
    assert result.path.name == wanted.name
    assert result.path.read_bytes() == wanted.read_bytes()
    assert (result.after.height, result.after.width) == (60, 90)
    assert result.before.pixels.shape == result.after.pixels.shape
    assert (upload.size, upload.bits) == ((30, 20), pixels.dtype.itemsize * 8)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "mine.png: an empty file"),
        (b"not a picture at all", "mine.png: not a picture in a format that is known here"),
        (b"\x89PNG\r\n\x1a\n" + b"rubbish" * 9, "mine.png: .+"),
        (b"II*\0" + b"\xff" * 40, "mine.png: .+"),
    ],
)
def test_the_error_of_a_bad_upload_names_the_file_without_its_folder(
    tmp_path, folder, content, error
):
    (tmp_path / "mine.png").write_bytes(content)
    with pytest.raises(UserError) as caught:
        inspect_upload(tmp_path / "mine.png", folder, PROGRESS)
    assert re.fullmatch(error, str(caught.value))
    assert str(tmp_path) not in str(caught.value)


def test_a_truncated_picture_is_an_error(tmp_path, folder):
    whole = write_upload(tmp_path, "whole.png", texture(90, 90)).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"^cut\.png: "):
        inspect_upload(tmp_path / "cut.png", folder, PROGRESS)


def test_a_picture_that_is_too_large_is_rejected_before_it_is_decoded(tmp_path, folder):
    (tmp_path / "huge.ppm").write_bytes(b"P6 12000 9000 255\n")
    with pytest.raises(UserError, match=r"^huge\.ppm: 108\.0 megapixels are more than the 100"):
        inspect_upload(tmp_path / "huge.ppm", folder, PROGRESS)


def test_a_result_that_would_be_too_large_is_rejected(tmp_path, folder, model, monkeypatch):
    upload = inspect_upload(write_upload(tmp_path, "a.png", texture(20, 30)), folder, PROGRESS)
    monkeypatch.setattr(tasks, "MAX_PIXELS", 20 * 30 * 4)
    models = Models.from_file(model, RUNTIME_OPTIONS)
    upscale_upload(upload, models, 2, folder, tmp_path, PROGRESS)
    with pytest.raises(UserError, match=r"^a\.png: .*`drnsr upscale` has no such limit"):
        upscale_upload(upload, models, 3, folder, tmp_path, PROGRESS)


def test_progress_is_reported_and_a_task_that_ends_early_leaves_no_file(tmp_path, folder, model):
    upload = inspect_upload(write_upload(tmp_path, "a.png", texture(20, 600)), folder, PROGRESS)
    (folder / "picture.png").unlink()
    fractions = []

    def report(fraction):
        fractions.append(fraction)
        if fraction > 0:
            raise KeyboardInterrupt

    models = Models.from_file(model, RUNTIME_OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        upscale_upload(upload, models, 2, folder, tmp_path, Progress(report))
    assert fractions[0] == 0 < fractions[1] < 1
    assert not list(folder.iterdir())


def test_all_pages_are_upscaled(tmp_path, folder, model):
    pages = np.stack([deep(20, 30), deep(20, 30) // 2])
    upload = inspect_upload(write_upload(tmp_path, "pages.tif", pages), folder, PROGRESS)
    assert (upload.num_pages, upload.num_pixels) == (2, 2 * 20 * 30)
    result = upscale_upload(
        upload, Models.from_file(model, RUNTIME_OPTIONS), 2, folder, tmp_path, PROGRESS
    )
    assert tifffile.imread(result.path).shape == (2, 40, 60)


def test_the_views_are_bicubic_and_the_file(tmp_path, folder, model):
    pixels = texture(150, 100)
    upload = inspect_upload(write_upload(tmp_path, "a.png", pixels), folder, PROGRESS)
    result = upscale_upload(
        upload, Models.from_file(model, RUNTIME_OPTIONS), 3, folder, tmp_path, PROGRESS
    )
    assert_array_equal(result.before.pixels, upscale(pixels, 3))
    assert_array_equal(result.after.pixels, np.asarray(Image.open(result.path)))
    for preview, view in (
        (result.before_preview, result.before),
        (result.after_preview, result.after),
    ):
        assert_array_equal(np.asarray(Image.open(preview)), view.pixels)


def test_both_views_of_floats_have_the_same_range(tmp_path, folder, model):
    pixels = texture(30, 40, 1)[:, :, 0].astype(np.float32) * 1000
    upload = inspect_upload(write_upload(tmp_path, "a.tif", pixels), folder, PROGRESS)
    result = upscale_upload(
        upload, Models.from_file(model, RUNTIME_OPTIONS), 2, folder, tmp_path, PROGRESS
    )
    low, high = pixels.min(), pixels.max()
    wanted = (tifffile.imread(result.path) - low) / (high - low) * 255
    assert np.abs(result.after.pixels[:, :, 0] - wanted.clip(0, 255)).max() <= 0.51


def test_the_most_detailed_crop_is_found(tmp_path, folder, model):
    pixels = np.full((300, 400, 3), 128, np.uint8)
    pixels[200:224, 120:160] = texture(24, 40)
    upload = inspect_upload(write_upload(tmp_path, "a.png", pixels), folder, PROGRESS)
    left, top = upscale_upload(
        upload, Models.from_file(model, RUNTIME_OPTIONS), 2, folder, tmp_path, PROGRESS
    ).detail
    assert abs(left - 240) <= CROP_WIDTH / 2
    assert abs(top - 400) <= CROP_HEIGHT / 2


@pytest.mark.parametrize(
    ("uploaded", "name"),
    [
        ("a b.png", "a b.png"),
        ("../../etc/passwd", "passwd"),
        ("/a.png", "a.png"),
        ("..", "picture"),
        ("", "picture"),
        ("a\0b.png", "ab.png"),
    ],
)
def test_file_names_lose_their_folders(uploaded, name):
    assert safe_file_name(uploaded) == name


def test_a_volume_is_taken_and_a_video_refused(tmp_path, folder, model):
    nibabel = pytest.importorskip("nibabel")
    values = (texture(20, 30, 3) * 100.0).astype(np.int16)
    nibabel.Nifti1Image(values, np.eye(4)).to_filename(tmp_path / "a.nii.gz")
    upload = inspect_upload(tmp_path / "a.nii.gz", folder, PROGRESS)
    assert (upload.size, upload.num_pages) == ((20, 30), 3)
    models = Models.from_file(model, RUNTIME_OPTIONS)
    result = upscale_upload(upload, models, 2, folder, tmp_path, PROGRESS)
    assert result.path.name == "a_x2.nii.gz"
    assert nibabel.load(result.path).shape == (40, 60, 3)
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(99))
    with pytest.raises(UserError, match=r"^a\.mp4: a video, .*`drnsr upscale` does$"):
        inspect_upload(tmp_path / "a.mp4", folder, PROGRESS)
