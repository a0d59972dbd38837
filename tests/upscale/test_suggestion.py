"""What `drnsr upscale` says of the model that it took."""

from pathlib import Path

import pytest
from PIL import Image

from drnsr.upscale.jobs import Job
from drnsr.upscale.models import OutputSize
from drnsr.upscale.suggestion import suggest_model


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """Two JPEGs of low quality, one of them done, one of high quality, and a PNG."""
    names = ("drnsr-x2", "drnsr-x2-photo", "drnsr-x4-photo")
    monkeypatch.setattr("drnsr.pretrained.available", lambda: names)
    image = Image.new("RGB", (16, 16), "teal")
    for name, quality in (("low.jpg", 60), ("done.jpg", 60), ("high.jpg", 95), ("a.png", 0)):
        image.save(tmp_path / name, quality=quality)
    return [Job(path, Path("x"), path.name == "done.jpg") for path in sorted(tmp_path.iterdir())]


@pytest.mark.parametrize(
    ("size", "model", "suggested"),
    [
        (OutputSize(scale=2), "drnsr-x2", "drnsr-x2-photo"),
        (OutputSize(scale=3), "drnsr-x3", "drnsr-x4-photo --factor 3"),
        (OutputSize(factor=1.5), "drnsr-x2", "drnsr-x2-photo --factor 1.5"),
        (
            OutputSize(size=(100, None)),
            "drnsr-x2 or drnsr-x3 or drnsr-x4, by the size of each picture",
            "drnsr-x2-photo or drnsr-x4-photo",
        ),
    ],
)
def test_jpegs_of_low_quality_get_a_suggestion(jobs, caplog, size, model, suggested):
    caplog.set_level("INFO", "drnsr")
    suggest_model(jobs, size)
    said, hint = caplog.messages
    assert said == f"model: {model}"
    assert hint == (
        "1 of 3 images are JPEGs of a quality below 90;"
        f" --model {suggested} also reduces artefacts and noise"
    )
    suggest_model([job for job in jobs if job.source.name == "low.jpg"], size)
    assert caplog.messages[-1].startswith("the image is a JPEG of a quality below 90; --model")


def test_others_get_none(jobs, caplog, monkeypatch):
    caplog.set_level("INFO", "drnsr")
    suggest_model([job for job in jobs if "low" not in job.source.name], OutputSize(scale=2))
    monkeypatch.setattr("drnsr.pretrained.available", lambda: ("drnsr-x2",))
    suggest_model(jobs, OutputSize(scale=2))
    assert caplog.messages == ["model: drnsr-x2"] * 2
