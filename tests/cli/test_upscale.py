"""`drnsr upscale`: what it makes, and what it says of what it cannot."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.checkpoints.native import Origin, save_model
from drnsr.cli import main
from drnsr.hashing import file_sha256
from drnsr.imaging.files import read_image
from drnsr.imaging.resize import upscale
from drnsr.networks import DRNSR, VDSR
from tests.conftest import texture


@pytest.fixture
def model(tmp_path, monkeypatch):
    """An untrained network, which is bicubic; and a folder without MLflow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    path = tmp_path / "model.safetensors"
    save_model(path, DRNSR(scale=2, num_features=4, num_blocks=1), Origin("c" * 64, "d" * 64, "e"))
    return path


def run(*arguments):
    main(["upscale", *map(str, arguments)])


def test_an_untrained_network_gives_bicubic_files(model, tmp_path, picture_folder):
    run(picture_folder, "--model", model, "--out", tmp_path / "out")
    made = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in made] == [f"picture{n}_x2.png" for n in range(4)]
    for path, source in zip(made, sorted(picture_folder.iterdir()), strict=True):
        wanted = upscale(read_image(source).astype(np.float64), 2).round().clip(0, 255)
        difference = np.abs(read_image(path).astype(int) - wanted)
        assert difference.max() <= 1  # of rounding


def test_the_same_command_goes_on_where_it_was(model, tmp_path, picture_folder, capsys):
    run(picture_folder, "--model", model, "--out", tmp_path / "out")
    whole = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    (tmp_path / "out/picture1_x2.png").unlink()
    (tmp_path / "out/picture2_x2.png").write_bytes(b"the user's own")
    run(picture_folder, "--model", model, "--out", tmp_path / "out")
    assert ", 3 there already" in capsys.readouterr().out
    assert (tmp_path / "out/picture1_x2.png").read_bytes() == whole["picture1_x2.png"]
    assert (tmp_path / "out/picture2_x2.png").read_bytes() == b"the user's own"
    run(picture_folder, "--model", model, "--out", tmp_path / "out", "--overwrite")
    assert (tmp_path / "out/picture2_x2.png").read_bytes() == whole["picture2_x2.png"]


def test_a_bad_picture_is_told_at_the_end_and_the_others_are_done(model, tmp_path, picture_folder):
    (picture_folder / "picture0.png").write_bytes(b"not a picture")
    with pytest.raises(SystemExit, match=r"error: 1 of 4 could not be enlarged: .*picture0\.png"):
        run(picture_folder, "--model", model, "--out", tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 3


@pytest.mark.parametrize(
    ("path", "model_name", "more", "told"),
    [
        ("nowhere", "model.safetensors", (), "nowhere: there is no such picture or folder"),
        ("empty", "model.safetensors", (), "empty: no pictures in this folder"),
        ("pictures", "gone.safetensors", (), "gone.safetensors: there is no such file"),
        (
            "pictures",
            "model.safetensors",
            ("--scale", "3"),
            "--scale 3: model.safetensors has no x3",
        ),
    ],
)
def test_mistakes(model, tmp_path, picture_folder, path, model_name, more, told):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match=f"error: {told}"):
        run(path, "--model", model_name, "--out", "out", *more)
    assert not (tmp_path / "out").exists()


def test_a_model_of_several_scales_is_told_which(tmp_path, model, picture_folder):
    save_model(
        tmp_path / "v.safetensors", VDSR(scales=[2, 3], num_features=4, num_layers=3), Origin()
    )
    run(picture_folder / "picture0.png", "--model", "v.safetensors", "--out", "out", "--scale", "3")
    assert Image.open(tmp_path / "out/picture0_x3.png").size == (300, 288)


def test_a_picture_says_what_made_it(model, tmp_path, capsys):
    Image.fromarray(texture(20, 30)).save(tmp_path / "a.png")
    run("a.png", "--model", model, "--out", "out")
    capsys.readouterr()
    main(["info", "out/a_x2.png"])
    shown = capsys.readouterr().out
    assert "enlarged 2 times by drnsr" in shown
    assert f"model.safetensors (sha256 {file_sha256(model)})" in shown
    assert "c" * 64 in shown
    assert "d" * 64 in shown
    assert not (tmp_path / "mlflow.db").exists()  # to look makes none


def test_the_pixels_are_those_of_a_file_without_text(model, tmp_path):
    Image.fromarray(texture(20, 30)).save(tmp_path / "a.png")
    run("a.png", "--model", model, "--out", "out")
    with Image.open(tmp_path / "out/a_x2.png") as made:
        made.load()
        assert set(made.info) == {"drnsr"}
        assert_array_equal(np.asarray(made), read_image(tmp_path / "out/a_x2.png"))
