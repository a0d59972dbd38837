"""`drnsr info` on images that do not say what made them."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from drnsr.cli import main
from drnsr.images.codecs import writable
from drnsr.networks import DRNSR
from drnsr.pretrained import model_file
from drnsr.project import run_name
from drnsr.tracking.store import TrackingError
from drnsr.upscale.provenance import Provenance
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture

KEYS = [field.name for field in fields(Provenance)]


@pytest.mark.parametrize("name", sorted({*writable(), "dds"} - {"dicom", "exr", "jxl", "nifti"}))
def test_an_image_without_provenance_is_described(tmp_path, capsys, name):
    path = tmp_path / f"a.{'j2k' if name == 'jp2' else name}"
    kind = {"jp2": "JPEG2000"}.get(name, name.upper())
    Image.fromarray(texture(30, 20)).save(path, kind)
    main(["info", str(path)])
    (line,) = capsys.readouterr().out.splitlines()
    wanted = f"{name.upper()}, 20 x 30 pixels; no record of an upscaling by drnsr"
    assert line.partition(":")[2].strip() == wanted


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "[]", json.dumps(dict.fromkeys(KEYS, 1)), json.dumps(dict.fromkeys(KEYS, "a"))],
    ids=["deep", "a list", "numbers", "a scale of text"],
)
def test_text_in_a_png_that_is_no_provenance_is_none(tmp_path, capsys, text):
    info = PngImagePlugin.PngInfo()
    info.add_text("drnsr", text)
    Image.fromarray(texture(8, 9)).save(tmp_path / "a.png", pnginfo=info)
    main(["info", str(tmp_path / "a.png")])
    assert "no record of an upscaling by drnsr" in capsys.readouterr().out


def test_pages_are_counted(tmp_path, capsys):
    pages = [Image.fromarray(np.full((8, 9), gray, np.uint8)) for gray in (1, 2, 3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    main(["info", str(tmp_path / "a.tif")])
    assert "TIFF, 9 x 8 pixels, 3 pages;" in capsys.readouterr().out


def test_a_model_file_names_the_licences_of_its_pictures(tmp_path, capsys):
    licences = {"CC0-1.0, A, https://a.example": 20, "CC-BY-SA-4.0, B": 1, "CC0-1.0, C": 3}
    model = tmp_path / "m.safetensors"
    save_model(model, DRNSR(scale=2, num_features=4, num_blocks=1), Origin(licences=licences))
    main(["info", str(model)])
    wanted = "24 (23 CC0-1.0, 1 CC-BY-SA-4.0); --credits names authors"
    assert wanted in capsys.readouterr().out
    main(["info", str(model), "--credits"])
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == [
        "1 picture: CC-BY-SA-4.0, B",
        "20 pictures: CC0-1.0, A, https://a.example",
        "3 pictures: CC0-1.0, C",
    ]
    save_model(model, DRNSR(scale=2, num_features=4, num_blocks=1), Origin())
    with pytest.raises(SystemExit, match=r"m\.safetensors: the file does not say what pictures"):
        main(["info", str(model), "--credits"])


def test_a_shipped_model_is_no_run_of_the_user(monkeypatch, capsys):
    def no_run(sha256):
        raise TrackingError("this MLflow has no run that made the model")

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "a store")
    monkeypatch.setattr("drnsr.tracking.record.record_of_model", no_run)
    main(["info", str(model_file("drnsr-x2"))])
    printed = capsys.readouterr().out
    assert "none here: this model ships with drnsr, whose authors trained it" in printed
    assert "not known" not in printed
    assert "runs/" not in printed  # its states are not here


def test_the_states_of_a_training_are_named_while_they_are_there(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    origin = Origin("1" * 64, "2" * 64, "3" * 64)
    save_model(Path("m.safetensors"), DRNSR(scale=2, num_features=4, num_blocks=1), origin)
    folder = tmp_path / run_name(origin.fingerprint)
    folder.mkdir(parents=True)
    main(["info", "m.safetensors"])
    assert "training states" not in capsys.readouterr().out
    (folder / "last-00000004-0123456789abcdef.ckpt").touch()
    main(["info", "m.safetensors"])
    assert f"{run_name(origin.fingerprint)}\n" in capsys.readouterr().out


def test_a_damaged_image_is_named(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(texture(30, 20)).save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SystemExit, match=r"a\.png: damaged or truncated"):
        main(["info", str(path)])


def test_another_file_is_not_a_model(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(SystemExit, match=r"a\.txt: not a readable PyTorch file"):
        main(["info", str(tmp_path / "a.txt")])
