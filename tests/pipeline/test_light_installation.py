"""The built wheel, without extras, in an environment that has nothing else."""

import subprocess
import sys

import pytest
from PIL import Image

PIPELINE = ("mlflow", "dvc", "lightning", "hydra-core", "albumentations", "torchmetrics")


@pytest.mark.slow
def test_a_wheel_without_extras_enlarges_pictures(project, tmp_path):
    place = tmp_path / "elsewhere"
    environment = place / "env"
    install(sys.executable, "wheel", "--no-deps", "--wheel-dir", place, project.root)
    (wheel,) = place.iterdir()
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    constraints = project.root / "constraints.txt"
    # Of torch's files, the few that are imported below are compiled then.
    options = ("--no-compile", "--constraint", constraints)
    install(environment / "bin/python", "install", *options, wheel)
    drnsr = str(environment / "bin/drnsr")
    listed = project.run(str(environment / "bin/python"), "-m", "pip", "freeze").stdout.lower()
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
    assert project.reached_for() == ""


def install(python, *arguments):
    """Call pip, which alone may reach for the package registry."""
    call = [python, "-m", "pip", arguments[0], "--quiet", *arguments[1:]]
    subprocess.run(call, check=True)
