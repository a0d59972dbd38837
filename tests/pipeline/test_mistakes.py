"""What people get wrong: one clear line each, and nothing half-written."""

import json

import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.data.prepared import PreparedDataset
from drnsr.images.files import read_image
from drnsr.locks import sole_process
from tests.conftest import texture
from tests.pipeline.conftest import Project


def fails_with(project, *command):
    """Run a command that must fail; its one line of error."""
    result = project.run(*command, fails=True)
    assert "Traceback" not in result.stderr + result.stdout
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.stderr
    return errors[0]


def own_pictures(project, *, count=3, size=200):
    for number in range(count):
        picture = Image.fromarray(texture(size, size, seed=number))
        picture.save(project.root / "data/own" / f"own{number}.png")
    project.choose(experiment="smoke", data="folder")


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("model=resnet", "model/resnet"),
        ("modle=drnsr", "modle"),
        ("trainer.max_steps=many", "trainer.max_steps"),
    ],
)
def test_a_mistyped_override(project, override, named):
    error = fails_with(project, "python", "-m", "pipelines.train", override)
    assert named in error


def test_a_training_without_data_says_what_to_run(project):
    error = fails_with(project, "python", "-m", "pipelines.train", "experiment=smoke")
    assert "dvc repro prepare" in error


@pytest.mark.parametrize(
    "folder", [["hydra.run.dir=taken"], ["-m", "hydra.sweep.dir=taken"]], ids=["run", "sweep"]
)
def test_a_folder_that_a_live_process_writes_to(project, folder):
    with sole_process(project.root / "taken"):
        error = fails_with(project, "python", "-m", "pipelines.fetch", *folder)
        assert "taken: another process writes there" in error
        assert [path.name for path in (project.root / "taken").iterdir()] == [".lock"]


@pytest.mark.slow
def test_a_queued_run_that_has_no_copy_of_the_users_files(project, tmp_path):
    """DVC runs a queued experiment in a copy of what git knows; DVC_ROOT names the project."""
    original = tmp_path / "original"
    for name in ("start.safetensors", "me.png", "data/own/me.png", "data/own_test/me.png"):
        (original / name).parent.mkdir(parents=True, exist_ok=True)
        (original / name).touch()
    queued = Project(project.root, project.environment | {"DVC_ROOT": str(original)})
    queued.run("python", "-m", "pipelines.config")  # the defaults read none of them
    before = (project.root / "resolved.yaml").read_bytes()
    chosen = (project.root / "params.yaml").read_bytes()
    for choices, told in (
        ({"init_from": "start.safetensors"}, "init_from: there is no file start.safetensors here"),
        ({"data": "folder"}, "folder: the pictures of data/own are not here"),
        ({"experiment": "single_image", "image": "me.png"}, "image: the pictures of me.png are"),
        ({"benchmark": "folder"}, "benchmark_folder: the pictures of data/own_test are not here"),
    ):
        (project.root / "params.yaml").write_bytes(chosen)
        queued.choose(**choices)
        error = fails_with(queued, "python", "-m", "pipelines.config")
        assert f"params.yaml: {told}" in error
        assert f"name it by its path, {original}" in error
        assert (project.root / "resolved.yaml").read_bytes() == before


def test_an_empty_folder_of_pictures(project):
    project.choose(data="folder")
    assert "data/own: no pictures in this folder" in fails_with(project, "dvc", "repro")
    assert not (project.root / "data/raw").exists()


@pytest.mark.slow
def test_bad_pictures_are_all_named(project):
    own_pictures(project)
    whole = (project.root / "data/own/own0.png").read_bytes()
    (project.root / "data/own/own0.png").write_bytes(whole[:1000])
    (project.root / "data/own/notes.png").write_text("not a picture")
    error = fails_with(project, "dvc", "repro", "prepare")
    assert "data/own/own0.png: damaged or truncated" in error
    assert "data/own/notes.png: not a picture" in error
    assert not list((project.root / "data/prepared").glob("*/index.json"))


@pytest.mark.slow
def test_a_picture_smaller_than_a_crop(project):
    own_pictures(project, size=90)
    error = fails_with(project, "dvc", "repro", "train")
    assert "training pictures are smaller than one training crop (96 x 96" in error
    assert error.count("(90 x 90)") == 2
    assert not list((project.root / "models").iterdir())


@pytest.mark.slow
def test_the_users_own_pictures_and_a_change_in_them(project):
    own_pictures(project)
    project.run("dvc", "repro", "prepare")
    assert project.ran(project.run("dvc", "repro", "prepare")) == []
    Image.fromarray(texture(200, 200, seed=9)).save(project.root / "data/own/own0.png")
    assert project.ran(project.run("dvc", "repro", "prepare")) == ["fetch", "prepare"]


def own_pairs(project, *, count=3):
    for folder in ("hr", "lr_x2"):
        (project.root / "data/own" / folder).mkdir()
    for number in range(count):
        picture = Image.fromarray(texture(200, 200, seed=number))
        picture.save(project.root / f"data/own/hr/{number}.png")
        picture.reduce(2).save(project.root / f"data/own/lr_x2/{number}x2.png")
    project.choose(experiment="smoke", data="pairs")


@pytest.mark.slow
def test_the_users_own_pairs_a_change_in_them_and_a_wrong_partner(project):
    own_pairs(project)
    project.run("dvc", "repro", "prepare")
    low = PreparedDataset.open(project.root / "data/prepared/train").lr(0, 2)
    assert_array_equal(low, read_image(project.root / "data/own/lr_x2/0x2.png"))
    assert project.ran(project.run("dvc", "repro", "prepare")) == []
    wrong = Image.fromarray(texture(100, 100, seed=9))
    wrong.save(project.root / "data/own/lr_x2/0x2.png")
    error = fails_with(project, "dvc", "repro", "prepare")
    assert "lr_x2/0x2.png is no pair with 0.png: another picture" in error
    project.choose(set={"prepare": {"bad_images": "skip"}})
    printed = project.run("dvc", "repro", "prepare").stdout
    assert "left out: data/own/hr/0.png: lr_x2/0x2.png is no pair" in printed


@pytest.mark.slow
def test_a_benchmark_of_the_users_own_that_was_trained_on(project):
    own_pictures(project)
    project.choose(benchmark="folder")
    error = fails_with(project, "dvc", "repro", "prepare")
    assert "data/own_test: no pictures in this folder" in error
    (project.root / "data/own_test/mine.png").write_bytes(
        (project.root / "data/own/own1.png").read_bytes()
    )
    error = fails_with(project, "dvc", "repro", "prepare")
    assert "own1.png is mine.png of folder" in error
    Image.fromarray(texture(150, 150, seed=9)).save(project.root / "data/own_test/mine.png")
    result = project.run("dvc", "repro", "verify")
    assert "folder: nothing is published for it" in result.stdout
    summary = json.loads((project.root / "metrics/benchmark.json").read_text())
    assert summary["folder"]["bicubic"]["psnr"] > 10


def test_params_that_are_no_yaml(project):
    (project.root / "params.yaml").write_text("model: [drnsr\n")
    result = project.run("dvc", "repro", fails=True)
    assert "params.yaml" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_an_output_that_cannot_be_written(project):
    project.choose(experiment="smoke")
    project.run("dvc", "repro", "prepare")
    # A file where the folder should be: refused for every user, root included.
    (project.root / "models").write_text("in the way")
    app = [
        "--config-dir=.",
        "--config-name=resolved",
        "hydra.run.dir=.",
        "hydra.output_subdir=null",
    ]
    error = fails_with(project, "python", "-m", "pipelines.train", *app, "logger.experiment=null")
    assert "models" in error
    assert not (project.root / "runs").exists()  # found before training, not after
