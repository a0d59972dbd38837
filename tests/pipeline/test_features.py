"""The weights of a perceptual loss are fetched, or one line says what to do."""

import hashlib
import io
import shutil

import pytest
import torch

from drnsr.config.compose import compose_choices, validate
from drnsr.config.schema import Data, Part
from drnsr.data.download import FetchError
from pipelines.fetch import fetch
from pipelines.perceptual_weights import FeaturesError, check_features_file, features_file
from pipelines.train import train
from tests.conftest import PROJECT, with_values

URL = "https://weights.example/models/vgg.pth"
WAYS_OUT = ("DRNSR_MIRROR", "gan.features.weights=FILE", "gan.features.weights=null")


@pytest.fixture
def project(tmp_path, picture_folder, monkeypatch):
    """A folder in which `fetch` runs on two pictures, and a registry with one small file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("DRNSR_MIRROR", str(tmp_path / "mirror"))
    buffer = io.BytesIO()
    torch.save(torch.nn.Conv2d(3, 4, 3).state_dict(), buffer)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    (tmp_path / "features.txt").write_text(f"features.pth {digest} {URL}\n")
    (tmp_path / "weights.pth").write_bytes(content)
    return tmp_path


def configuration(weights="features.txt", perceptual=1.0):
    choices = {"experiment": "esrgan_x4", "folder": "pictures"}
    config = validate(compose_choices(choices))
    return with_values(
        config,
        {
            "data": Data(
                name="folder",
                parts={
                    "folder": Part(
                        folder="pictures", exclude=[], validation_fraction=0.5, licences={}
                    )
                },
                scales=[4],
                weight_by="images",
            ),
            "benchmark": {},
            "trainer.accelerator": "cpu",
            "trainer.precision": "32-true",
            "gan.weights.perceptual": perceptual,
            "gan.features.weights": weights,
        },
    )


def put_into_mirror(project):
    file = project / "mirror/weights.example/models/vgg.pth"
    file.parent.mkdir(parents=True)
    shutil.copyfile(project / "weights.pth", file)


def assert_one_line_that_names_the_ways_out(error):
    assert "\n" not in str(error)
    assert all(way in str(error) for way in WAYS_OUT)


def test_the_weights_come_from_a_mirror_and_are_checked_by_their_hash(project):
    put_into_mirror(project)
    fetch(configuration())
    file = features_file(configuration())
    assert file == project / "data/downloads/features/features.pth"
    assert file.read_bytes() == (project / "weights.pth").read_bytes()
    check_features_file(configuration())


def test_fetch_without_the_weights_stops_and_names_the_ways_out(project):
    with pytest.raises(FetchError, match=r"vgg.pth: cannot be taken from the mirror") as caught:
        fetch(configuration())
    assert_one_line_that_names_the_ways_out(caught.value)
    assert not (project / "data/raw").exists()  # before anything larger


def test_a_wrong_file_in_the_mirror_is_refused(project):
    put_into_mirror(project)
    (project / "mirror/weights.example/models/vgg.pth").write_bytes(b"other")
    with pytest.raises(FetchError, match="not the expected file"):
        fetch(configuration())
    assert not features_file(configuration()).exists()


@pytest.mark.parametrize("weights", ["features.txt", "mine.pth"])
def test_a_training_without_the_weights_stops_at_once_and_names_the_ways_out(project, weights):
    with pytest.raises(FeaturesError, match="there is no such file") as caught:
        train(configuration(weights))
    assert_one_line_that_names_the_ways_out(caught.value)
    assert ("dvc repro --force --single-item fetch" in str(caught.value)) == (
        weights == "features.txt"
    )


def test_other_features_need_no_download(project):
    for config in (
        configuration("weights.pth"),
        configuration(None),
        configuration(perceptual=0.0),
    ):
        fetch(config)
        check_features_file(config)
    assert features_file(configuration("weights.pth")) == project / "weights.pth"
    assert features_file(configuration(None)) is None
    assert not (project / "data/downloads/features").exists()


def test_the_published_weights_have_the_hash_in_their_name():
    (line,) = [
        line
        for line in (PROJECT / "conf/registry/vgg19.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    _, sha256, url = line.split()
    assert url.endswith(f"-{sha256[:8]}.pth")  # PyTorch names its files so
