"""A training on degraded LR through the graph: validation and benchmark are degraded too."""

import json

import pytest

from drnsr.data.prepared import PreparedDataset


@pytest.mark.slow
def test_a_degraded_training_is_measured_on_degraded_pictures(project):
    few_steps = {"max_steps": 10, "validate_every": 10, "log_every": 5}
    project.choose(
        experiment="smoke",
        degradation="second_order",
        benchmark="sample_test_realistic",
        set={"trainer": few_steps, "datamodule": {"scales": [2], "workers": 1}},
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
