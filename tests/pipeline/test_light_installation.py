"""The built wheel: without extras, in an environment that has nothing else; and as a project's."""

import os
import subprocess
import sys
from zipfile import ZipFile

import pytest
import yaml
from PIL import Image

from tests.pipeline.conftest import Project

PIPELINE = ("mlflow", "dvc", "lightning", "hydra-core", "albumentations", "torchmetrics")


@pytest.fixture(scope="module")
def wheel(committed_once, tmp_path_factory):
    """The wheel of this commit."""
    place = tmp_path_factory.mktemp("wheel")
    source = committed_once.copy_to(place / "source").root  # the build leaves files there
    install(sys.executable, "wheel", "--no-deps", "--wheel-dir", place / "built", source)
    (built,) = (place / "built").iterdir()
    return built


@pytest.mark.slow
def test_a_wheel_without_extras_enlarges_pictures(wheel, project, tmp_path):
    place = tmp_path / "elsewhere"
    environment = place / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    constraints = project.root / "constraints.txt"
    # Of torch's files, the few that are imported below are compiled then.
    options = ("--no-compile", "--constraint", constraints)
    install(environment / "bin/python", "install", *options, wheel)
    drnsr = str(environment / "bin/drnsr")
    pip = (sys.executable, "-m", "pip", "--python", str(environment / "bin/python"))
    listed = project.run(*pip, "freeze").stdout.lower()
    assert "torch==" in listed
    assert not [name for name in PIPELINE if f"\n{name}==" in listed]
    picture = project.root / "docs/small.png"
    project.run(drnsr, "upscale", str(picture), "--scale", "3", "--out", str(place / "out"))
    with Image.open(picture) as before, Image.open(place / "out/small_x3.png") as made:
        assert made.size == (3 * before.width, 3 * before.height)
    message = project.run(
        drnsr, "upscale", str(picture), "--out", "x", "--model", "models:/a/1", fails=True
    )
    assert message.stderr.strip() == "error: models:/a/1: needs MLflow: pip install 'drnsr[train]'"
    elsewhere = Project(tmp_path / "outside")
    elsewhere.root.mkdir()
    assert "torch" in elsewhere.run(drnsr, "doctor").stdout
    message = elsewhere.run(drnsr, "new", "x", fails=True).stderr
    assert message == "error: drnsr new needs ruamel: pip install 'drnsr[train]'\n"
    message = elsewhere.run(drnsr, "show", fails=True).stderr
    assert "call `drnsr show` in the folder of a project, which `drnsr new FOLDER` makes" in message
    assert project.reached_for() == ""


OWN_NETWORK = """
from torch import nn
from drnsr.networks.base import Descriptor, Network, register

@register
class Mine(Network):
    def __init__(self, *, scale, features):
        super().__init__()
        self.scale = scale
        narrow = nn.Conv2d(features, 3 * scale**2, 1)
        wide = nn.Conv2d(3, features, 3, padding=1)
        self.body = nn.Sequential(wide, narrow, nn.PixelShuffle(scale))

    @property
    def descriptor(self):
        return Descriptor(scales=(self.scale,), receptive_field=1)

    def forward(self, lr):
        return self.body(lr)
"""
OWN_CHOICE = """
name: mine
network: {_target_: own_networks.mine.Mine, scale: "${scale}", features: 4}
"""


@pytest.mark.slow
def test_a_project_made_from_the_wheel_trains_a_network_of_its_own(wheel, tmp_path):
    site = tmp_path / "site"
    ZipFile(wheel).extractall(site)
    place = Project(
        tmp_path / "place", {"PYTHONPATH": f"{tmp_path / 'place-guard'}{os.pathsep}{site}"}
    )
    place.root.mkdir()
    drnsr = (sys.executable, "-c", "from drnsr.cli import main; main()")
    place.run(*drnsr, "new", "mine")
    mine = Project(place.root / "mine", place.variables)
    (mine.root / "src/own_networks/mine.py").write_text(OWN_NETWORK)
    (mine.root / "conf/model/mine.yaml").write_text(OWN_CHOICE)
    mine.choose(debug="fast", model="mine")
    ran = mine.ran(mine.run("dvc", "repro"))
    stages = ["config", "fetch", "prepare", "train", "evaluate", "verify", "report"]
    assert ran == ["package", *stages]
    assert "mine" in mine.run(*drnsr, "show").stdout
    mine.run("git", "add", "--all")
    mine.run("git", "commit", "-qm", "trained")
    assert mine.ran(mine.run("dvc", "repro")) == ["package"]
    # Another version of the package: the stages whose code it changes, and no others.
    (site / "drnsr/training/losses.py").open("a").write("# changed")
    mine.run(sys.executable, "-m", "drnsr.new_project.package_code")
    assert [name for name in changed(mine) if name in ran] == ["package", "train"]
    mine.run("git", "checkout", "package.yaml")
    (mine.root / "src/own_networks/mine.py").open("a").write("# changed")
    assert "train" in changed(mine)
    # Every command knows the network after `pip install -e .`, whose record this is.
    record = site / "own_networks-0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Name: own-networks\nVersion: 0")
    (record / "entry_points.txt").write_text("[drnsr.networks]\nown = own_networks.mine")
    there = f"{place.variables['PYTHONPATH']}{os.pathsep}{mine.root / 'src'}"
    elsewhere = Project(place.root, {"PYTHONPATH": there})
    assert "Mine" in elsewhere.run(*drnsr, "info", "mine/models/model.safetensors").stdout
    assert place.reached_for() == ""


def changed(project):
    """The stages that DVC would run."""
    return list(yaml.safe_load(project.run("dvc", "status", "--json").stdout))


def install(python, *arguments):
    """Call pip for an environment; it alone may reach for the package registry."""
    pip = [sys.executable, "-m", "pip", "--python", python]
    subprocess.run([*pip, arguments[0], "--quiet", *arguments[1:]], check=True)
