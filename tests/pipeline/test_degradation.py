"""A training on degraded LR, against a discriminator, through the graph, to the report."""

import csv
import json

import pytest

from drnsr.data.prepared import PreparedDataset


@pytest.mark.slow
def test_a_degraded_training_is_measured_on_degraded_pictures_and_by_perceptual_metrics(project):
    few_steps = {"max_steps": 4, "validate_every": 4, "log_every": 2}
    project.choose(
        experiment="smoke",
        degradation="second_order",
        benchmark="sample_test_realistic",
        gan="unet_st_lpips",
        set={
            "trainer": few_steps,
            "datamodule": {"scales": [2], "workers": 1, "batch_size": 2, "patch_size": 16},
            "gan": {"discriminator": {"num_features": 4}},
            "metrics": ["niqe"],
        },
    )
    project.run_stages("fetch", "prepare", "train", "evaluate", "verify", "report")
    training = PreparedDataset.open(project.root / "data/prepared/train")
    assert training.degradation["name"] == "second_order"
    content = json.loads((project.root / "metrics/benchmark.json").read_text())
    assert content["sample_test_realistic"]["degradation"] == "realistic"
    benchmark = PreparedDataset.open(
        project.root / "data/prepared/benchmarks/sample_test_realistic"
    )
    assert (benchmark.scales, benchmark.degradation["name"]) == ([2, 3, 4], "realistic")

    means = content["sample_test_realistic"]["model"]
    assert list(means) == ["psnr", "ssim", "niqe"]
    with (project.root / "metrics/curves/training_loss.csv").open() as file:
        terms = set(next(csv.DictReader(file)))
    assert {"loss", "pixel", "perceptual", "adversarial", "discriminator"} < terms
    page = (project.root / "reports/index.html").read_text()
    assert "lowers the PSNR on purpose" in page
    assert "by NIQE (lower is better)" in page
    assert "Loss of the discriminator" in page
