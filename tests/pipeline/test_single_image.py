"""The founding paper's experiment, as its page in docs/ has it."""

import csv
import json

import pytest


def trained(project, *choices):
    """The summary of one run by hand, and its folder."""
    project.call(
        *("pipelines.train", "experiment=single_image", "logger=none"),
        *("image=data/raw/benchmarks/sample_test/chelsea.png", "hydra.run.dir=single", *choices),
    )
    root = project.root / "single"
    return json.loads((root / "metrics/benchmark.json").read_text())["single"], root


@pytest.mark.slow
def test_one_picture_by_hand_without_a_graph(another):
    content, root = trained(another)
    assert content["gain"]["psnr"] > 0.5  # measured: 0.98 dB; an untrained network gains nothing
    assert content["gain"]["ssim"] > 0
    with (root / "metrics/curves/validation_psnr.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == list(range(32, 321, 32))


@pytest.mark.slow
def test_the_other_half_through_the_graph(another):
    another.choose(experiment="single_image", mode="half", set={"trainer": {"max_steps": 10}})
    printed = another.run_stages("fetch", "prepare", "train", "evaluate").stdout
    assert "no leak audit" in printed
    content = json.loads((another.root / "metrics/benchmark.json").read_text())
    assert list(content) == ["single"]
    assert "small.png" in (another.root / "metrics/per_image.csv").read_text()
