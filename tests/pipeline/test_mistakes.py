"""Mistakes that people make: one clear line for each, and no half-written output."""

import json
import shutil
import signal
import subprocess
import sys

import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.data.prepared import PreparedDataset
from drnsr.images.files import read_image
from drnsr.locks import folder_lock
from tests.conftest import PROJECT, texture
from tests.pipeline.conftest import GRAPH_ARGUMENTS, Project
from tests.pipeline.experiments import prepared_textures


def error_of(result):
    """The one line of error of a command that failed."""
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
def test_a_mistyped_override_is_named(project, override, named):
    assert named in error_of(project.call("pipelines.train", override, fails=True))


@pytest.mark.slow
def test_a_mistyped_override_is_named_by_a_process_too(project):
    command = ["python", "-m", "pipelines.train", "modle=drnsr"]
    assert "modle" in error_of(project.run(*command, fails=True))


def test_validation_pictures_of_another_degradation_are_refused(project):
    prepared_textures(project.root, 4, (60, 60), validation=0.25)
    arguments = ["pipelines.train", "experiment=smoke", "degradation=realistic"]
    error = error_of(project.call(*arguments, fails=True))
    assert "was prepared with the degradation bicubic, not realistic" in error
    assert "`degradation: realistic` into params.yaml and run `dvc repro prepare`" in error


def test_pictures_that_were_prepared_for_other_crops_are_refused(project):
    prepared_textures(project.root, 4, (60, 60), validation=0.25)
    arguments = ["pipelines.train", "experiment=smoke", "data.crop_grid=hr"]
    error = error_of(project.call(*arguments, fails=True))
    assert "was prepared with data.crop_grid=lr, not hr; write" in error
    assert "`set: {data: {crop_grid: hr}}` into params.yaml and run `dvc repro prepare`" in error


def test_a_training_without_data_says_what_to_run(project):
    result = project.call("pipelines.train", "experiment=smoke", fails=True)
    assert "dvc repro prepare" in error_of(result)


@pytest.mark.parametrize(
    "folder", [["hydra.run.dir=taken"], ["-m", "hydra.sweep.dir=taken"]], ids=["run", "sweep"]
)
def test_a_folder_that_a_live_process_writes_to_is_refused(project, folder):
    with folder_lock(project.root / "taken"):
        error = error_of(project.call("pipelines.fetch", *folder, fails=True))
        assert "taken: another process writes there" in error
        assert [path.name for path in (project.root / "taken").iterdir()] == [".lock"]


def test_a_queued_run_that_has_no_copy_of_the_users_files_says_so(project, tmp_path):
    """DVC runs a queued experiment in a copy of what git knows; DVC_ROOT names the project."""
    original = tmp_path / "original"
    for name in ("start.safetensors", "me.png", "data/own/me.png", "data/own_test/me.png"):
        (original / name).parent.mkdir(parents=True, exist_ok=True)
        (original / name).touch()
    queued = Project(project.root, {"DVC_ROOT": str(original)})
    queued.call("pipelines.config")  # the defaults read none of them
    before = (project.root / "resolved.yaml").read_bytes()
    chosen = (project.root / "params.yaml").read_bytes()
    for choices, message in (
        ({"init_from": "start.safetensors"}, "init_from: there is no file start.safetensors here"),
        ({"data": "folder"}, "folder: the pictures of data/own are not here"),
        ({"experiment": "single_image", "image": "me.png"}, "image: the pictures of me.png are"),
        ({"benchmark": "folder"}, "benchmark_folder: the pictures of data/own_test are not here"),
    ):
        (project.root / "params.yaml").write_bytes(chosen)
        queued.choose(**choices)
        error = error_of(queued.call("pipelines.config", fails=True))
        assert f"params.yaml: {message}" in error
        assert f"name it by its path, {original}" in error
        assert (project.root / "resolved.yaml").read_bytes() == before


def test_an_empty_folder_of_pictures_is_named(project):
    project.choose(data="folder")
    error = error_of(project.run_stages("fetch", fails=True))
    assert "data/own: no pictures in this folder" in error
    assert not (project.root / "data/raw").exists()


def test_bad_pictures_are_all_named(project):
    own_pictures(project)
    whole = (project.root / "data/own/own0.png").read_bytes()
    (project.root / "data/own/own0.png").write_bytes(whole[:1000])
    (project.root / "data/own/notes.png").write_text("not a picture")
    error = error_of(project.run_stages("fetch", "prepare", fails=True))
    assert "data/own/own0.png: damaged or truncated" in error
    assert "data/own/notes.png: not a picture" in error
    assert not list((project.root / "data/prepared").glob("*/index.json"))


def test_pictures_smaller_than_a_crop_are_refused(project):
    own_pictures(project, size=90)
    error = error_of(project.run_stages("fetch", "prepare", "train", fails=True))
    assert "training pictures are smaller than one training crop (96 x 96" in error
    assert error.count("(90 x 90)") == 2
    assert not list((project.root / "models").iterdir())


@pytest.mark.slow
def test_a_change_in_the_users_own_pictures_is_noticed(project):
    own_pictures(project)
    project.run_stages("fetch", "prepare")
    project.call("dvc", "commit", "--force", "--with-deps", "prepare")
    assert project.ran(project.call("dvc", "repro", "prepare")) == []
    Image.fromarray(texture(200, 200, seed=9)).save(project.root / "data/own/own0.png")
    assert project.ran(project.call("dvc", "repro", "prepare")) == ["fetch", "prepare"]


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
    project.run_stages("fetch", "prepare")
    project.call("dvc", "commit", "--force", "--with-deps", "prepare")
    low = PreparedDataset.open(project.root / "data/prepared/train").lr(0, 2)
    assert_array_equal(low, read_image(project.root / "data/own/lr_x2/0x2.png"))
    assert project.ran(project.call("dvc", "repro", "prepare")) == []
    wrong = Image.fromarray(texture(100, 100, seed=9))
    wrong.save(project.root / "data/own/lr_x2/0x2.png")
    assert "fetch" in json.loads(project.call("dvc", "status", "--json").stdout)
    error = error_of(project.run_stages("fetch", "prepare", fails=True))
    assert "lr_x2/0x2.png does not match 0.png: another picture" in error
    project.choose(set={"prepare": {"bad_images": "skip"}})
    printed = project.run_stages("fetch", "prepare").stdout
    assert "left out: data/own/hr/0.png: lr_x2/0x2.png does not match" in printed


@pytest.mark.slow
def test_a_benchmark_of_the_users_own_that_was_trained_on_is_refused(project):
    stages = ("fetch", "prepare", "train", "evaluate", "verify")
    own_pictures(project)
    project.choose(benchmark="folder")
    error = error_of(project.run_stages(*stages, fails=True))
    assert "data/own_test: no pictures in this folder" in error
    shutil.copy(project.root / "data/own/own1.png", project.root / "data/own_test/mine.png")
    error = error_of(project.run_stages(*stages, fails=True))
    assert "own1.png is mine.png of folder" in error
    Image.fromarray(texture(150, 150, seed=9)).save(project.root / "data/own_test/mine.png")
    result = project.run_stages(*stages)
    assert "folder: nothing is published for it" in result.stdout
    summary = json.loads((project.root / "metrics/benchmark.json").read_text())
    assert summary["folder"]["bicubic"]["psnr"] > 10


def test_params_that_are_no_yaml_are_refused(project):
    (project.root / "params.yaml").write_text("model: [drnsr\n")
    result = project.call("dvc", "repro", fails=True)
    assert "params.yaml" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_output_that_cannot_be_written_is_found_before_the_training(another):
    for folder in ("models", "runs"):
        shutil.rmtree(another.root / folder)
    # A file where the folder should be: refused for every user, root included.
    (another.root / "models").write_text("in the way")
    arguments = [*GRAPH_ARGUMENTS, "logger.experiment=null"]
    assert "models" in error_of(another.call("pipelines.train", *arguments, fails=True))
    written = {path.name for path in (another.root / "runs").rglob("*") if path.is_file()}
    assert written <= {".lock"}


def test_ctrl_c_while_a_stage_is_imported_is_one_line():
    # Such as Python raises where it is, before there is anything that could catch it.
    program = "import pipelines; raise KeyboardInterrupt"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert ended.stderr == "error: ended by Ctrl-C\n"
    assert ended.returncode == -signal.SIGINT
