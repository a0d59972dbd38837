"""A finished run becomes a model that ships with the package."""

import json
from math import log10
from pathlib import Path

import numpy as np
import pytest

from drnsr.cli import main
from drnsr.cli.models import model_file as named_file
from drnsr.config.compose import compose_choices, to_yaml, validate
from drnsr.data.prepare import prepare_benchmark
from drnsr.errors import UserError
from drnsr.hashing import file_sha256
from drnsr.images.colour import luma
from drnsr.images.encoding import write_png
from drnsr.images.resize import upscale
from drnsr.inference.upscaler import Upscaler
from drnsr.networks import DRNSR
from drnsr.pretrained import SCALES
from drnsr.project import PARAMS
from drnsr.tracking.costs import MODEL_FILE, TRAINING_FILE, write_cost
from drnsr.weights.native import Origin, read_info, save_model


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """The outputs of a run in a folder, and where the shipped models would stand."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("drnsr.pretrained.FOLDER", tmp_path / "src/drnsr/pretrained")
    config = validate(compose_choices({"experiment": "release_x2", "benchmark": "set5"}))
    PARAMS.touch()
    Path("resolved.yaml").write_text(to_yaml(config))
    save_model(
        Path("models/model.safetensors"),
        DRNSR(scale=2, num_features=4, num_blocks=1),
        Origin("1" * 64, "2" * 64, "3" * 64),
    )
    score = {"psnr": 37.25, "ssim": 0.95}
    result = {"bicubic": score, "model": score, "gain": {"psnr": 0, "ssim": 0}}
    files = {
        "benchmark": {"set5": {**result, "images": 5, "scale": 2, "protocol": "paper_y"}},
        "verify": [],
    }
    Path("metrics").mkdir()
    for name, content in files.items():
        Path(f"metrics/{name}.json").write_text(json.dumps(content))
    return tmp_path


def test_the_model_ships_with_a_card(outputs):
    origin = read_info(Path("models/model.safetensors")).origin
    of_model = {
        "parameters": 318300,
        "multiply_adds_per_megapixel": 79.5,
        "seconds_per_megapixel": 0.87,
        "peak_memory_mib": 463.0,
    }
    of_training = {
        "seconds": 1826.6,
        "samples_per_second": 52.6,
        "precision": "bf16-mixed",
        "skipped_losses": 0,
    }
    write_cost(origin, MODEL_FILE, of_model)
    write_cost(origin, TRAINING_FILE, of_training)
    main(["release"])
    model, card = (
        outputs / "src/drnsr/pretrained/drnsr-x2.safetensors",
        (outputs / "src/drnsr/pretrained/drnsr-x2.md").read_text(),
    )
    assert model.read_bytes() == Path("models/model.safetensors").read_bytes()
    for known in ("# drnsr-x2\n", "37.25 / 0.9500", "318,300", "1827 s", file_sha256(model)):
        assert known in card
    assert "): non-commercial research and education\n" in card
    assert "Not all of these licences allow every use" in card
    for digit in "123":
        assert digit * 64 in card


def test_a_card_says_which_cost_was_not_measured_here(outputs):
    main(["release"])
    assert (
        "- training: not measured here\n"
        in (outputs / "src/drnsr/pretrained/drnsr-x2.md").read_text()
    )


@pytest.mark.parametrize(
    "name",
    [
        "resolved.yaml",
        "models/model.safetensors",
        "metrics/benchmark.json",
        "metrics/verify.json",
    ],
)
def test_what_is_missing_is_named_and_nothing_ships(outputs, name):
    Path(name).unlink()
    with pytest.raises(SystemExit, match=f"{name}: .*; run `dvc repro` first"):
        main(["release"])
    assert not (outputs / "src/drnsr/pretrained").exists()


def test_a_large_model_ships_under_a_large_ones_name_alone(outputs):
    large = DRNSR(scale=2, num_features=64, num_blocks=6)  # 1.8 MB
    save_model(Path("models/model.safetensors"), large, Origin())
    with pytest.raises(SystemExit, match=r": 1,[5-9]\d\d,\d\d\d bytes, more than the 1,500,000"):
        main(["release"])
    assert not (outputs / "src/drnsr/pretrained").exists()
    main(["release", "drnsr-x2-large"])
    assert (outputs / "src/drnsr/pretrained/drnsr-x2-large.md").is_file()
    assert SCALES[2] == "drnsr-x2"  # what a program takes by itself


def test_a_model_of_another_scale_is_not_that_of_the_configuration(outputs):
    save_model(Path("models/model.safetensors"), DRNSR(scale=3, num_features=4), Origin())
    with pytest.raises(SystemExit, match=r"not by the configuration in resolved\.yaml"):
        main(["release"])


@pytest.mark.parametrize(
    ("experiment", "name", "message"),
    [
        ("release_x2", "drnsr-x5", "drnsr-x5: no model of this name ships; there are drnsr-x2, "),
        ("release_x2", "drnsr-x4", "drnsr-x4: has scale 4, but resolved.yaml has `scale: 2`"),
        ("release_x2", "drnsr-x2-photo", "another one than bicubic, .* has `degradation: bicubic`"),
        ("photo_x2", "drnsr-x2", "is bicubic, but resolved.yaml has `degradation: realistic`"),
        (
            "photo_gan",
            "drnsr-x4-photo",
            "gan: resolved.yaml has a training against a ",
        ),
    ],
)
def test_a_name_that_the_run_did_not_train_does_not_ship(outputs, experiment, name, message):
    config = validate(compose_choices({"experiment": experiment, "benchmark": "set5"}))
    Path("resolved.yaml").write_text(to_yaml(config))
    with pytest.raises(SystemExit, match=message):
        main(["release", name])
    assert not (outputs / "src/drnsr/pretrained").exists()


@pytest.mark.parametrize("arguments", [[], ["drnsr-x2-photo"]])
def test_a_model_of_degraded_pictures_ships_for_photographs(outputs, arguments):
    config = validate(compose_choices({"experiment": "photo_x2", "benchmark": "set5"}))
    Path("resolved.yaml").write_text(to_yaml(config))
    main(["release", *arguments])
    assert (
        (outputs / "src/drnsr/pretrained/drnsr-x2-photo.md")
        .read_text()
        .startswith("# drnsr-x2-photo\n")
    )
    main(["info", "drnsr-x2-photo"])
    assert Upscaler.from_pretrained("drnsr-x2-photo").scale == 2
    with pytest.raises(UserError, match=r"drnsr-x2: there is no such file, .*\(drnsr-x2-photo\)"):
        named_file("drnsr-x2")


def test_the_card_of_a_default_model_shows_a_picture_of_any_size(outputs):
    config = validate(compose_choices({"experiment": "release_x3", "benchmark": "cid22_valid"}))
    Path("resolved.yaml").write_text(to_yaml(config))
    write_png(Path("cid22-valid__2079234.png"), np.zeros((32, 64, 3), np.uint8))
    folder = Path("data/prepared/benchmarks/cid22_valid")
    prepare_benchmark([Path("cid22-valid__2079234.png")], folder, name="cid22_valid")
    save_model(Path("models/model.safetensors"), DRNSR(scale=3, num_features=4), Origin())
    main(["release"])
    card = (outputs / "src/drnsr/pretrained/drnsr-x3.md").read_text()
    assert "made 3 times smaller by the degradation `bicubic`" in card
    assert (outputs / "docs/drnsr-x3.webp").is_file()


def test_the_card_of_a_photo_model_shows_a_picture_and_the_default_model(outputs):
    config = validate(compose_choices({"experiment": "photo_x2", "benchmark": "photo"}))
    name, file = "cid22_valid_realistic", Path("raw/cid22-valid__2079234.png")
    config = config.model_copy(update={"init_from": "before.safetensors"})
    Path("resolved.yaml").write_text(to_yaml(config))
    file.parent.mkdir()
    write_png(file, np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))
    degradation = config.benchmark[name].degradation
    folder = Path("data/prepared/benchmarks") / name
    dataset = prepare_benchmark(
        [file], folder, name="cid22_valid", degradation=degradation, scales=[2]
    )
    default = outputs / "src/drnsr/pretrained/drnsr-x2.safetensors"
    save_model(default, DRNSR(scale=2, num_features=4, num_blocks=1), Origin())
    model = Path("models/model.safetensors")
    licences = {
        "CC0-1.0, Buddies of Budgie, https://github.com/BuddiesOfBudgie": 2,
        "MIT, A. B.": 0,
    }
    save_model(model, DRNSR(scale=2, num_features=4), Origin(licences=licences))
    lr, hr = dataset.lr(0, 2), dataset.hr(0)
    # A new DRNSR is bicubic: its residual branch adds nothing yet.
    ours, truth = (luma(each)[2:-2, 2:-2] for each in (upscale(lr, 2), hr))
    bicubic = {"psnr": 10 * log10(255**2 / ((ours - truth) ** 2).mean()), "ssim": 0.5}
    result = {
        "bicubic": bicubic,
        "model": {"psnr": 37.25, "ssim": 0.9},
        "gain": {},
        "images": 1,
        "scale": 2,
        "protocol": "paper_y",
    }
    written = {name: {**result, "degradation": "realistic"}, "set14": result}
    Path("metrics/benchmark.json").write_text(json.dumps(written))
    main(["release"])
    card = default.with_name("drnsr-x2-photo.md").read_text()
    cell = f"| drnsr-x2 | paper_y | {bicubic['psnr']:.2f} / "
    assert cell in card
    assert "| - | measured |" in card.partition(cell)[2].partition("\n")[0] + "\n"  # set14
    assert "the degradation `realistic`, and estimates them without it" in card
    assert "- MIT, A. B.\n" in card
    assert "Not all of these licences allow every use" not in card
    picture = outputs / "docs/drnsr-x2-photo.webp"
    assert picture.stat().st_size <= 120_000
    assert f"](../../../docs/{picture.name})" in card
    assert "(licence: CC-BY-SA-4.0, Cloudinary Image Dataset '22" in card


@pytest.mark.slow
def test_a_run_of_the_graph_ships_into_the_package_beside_it(another):
    made = another.run("bash", "-c", "PYTHONPATH=src:$PYTHONPATH drnsr release").stdout
    shipped = another.root / "src/drnsr/pretrained/drnsr-x2.safetensors"
    assert str(shipped) in made
    assert file_sha256(shipped) == file_sha256(another.root / "models/model.safetensors")
    card = shipped.with_suffix(".md").read_text()
    head = another.run("git", "rev-parse", "HEAD").stdout.strip()
    means = json.loads((another.root / "metrics/benchmark.json").read_text())["sample_test"]
    assert f"- git commit: {head} and uncommitted changes" in card  # of params.yaml
    assert f"{means['model']['psnr']:.2f} / {means['model']['ssim']:.4f}" in card
    assert "- `chelsea" not in card  # a test picture's licence
    assert "- `rocket.jpg`: public domain, SpaceX" in card
