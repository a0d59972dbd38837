"""The curves are what dvc.yaml plots, and costs are texts for people."""

import yaml

from drnsr.reporting.costs import describe_costs
from drnsr.training.scalars import CURVES, UNKNOWN
from tests.conftest import PROJECT


def test_dvc_plots_the_first_scalar_of_each_curve():
    stage = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]["train"]
    plots = {path: plot for entry in stage["plots"] for path, plot in entry.items()}
    assert {path: (plot["x"], plot["y"]) for path, plot in plots.items()} == {
        f"metrics/curves/{curve.file}": curve.header[:2] for curve in CURVES
    }


def test_the_costs_of_a_run_in_words():
    model = {
        "parameters": 318300,
        "multiply_adds_per_megapixel": 79.5,
        "seconds_per_megapixel": 0.871,
        "peak_memory_mib": None,
    }
    training = {"seconds": 1826.6, "samples_per_second": 52.6, "precision": "bf16-mixed"}
    assert describe_costs(model, {**training, "skipped_losses": 0}) == {
        "parameters": "318,300",
        "multiply-adds per output megapixel": "79.5 G",
        "seconds per output megapixel": "0.87",
        "peak memory": UNKNOWN,
        "training": "1827 s, 53 samples per second, bf16-mixed",
    }
    costs = describe_costs(None, {**training, "skipped_losses": 3.0})
    assert costs == {
        "applying the model": "not measured here",
        "training": "1827 s, 53 samples per second, 3 losses skipped, bf16-mixed",
    }


def test_a_run_from_before_skipped_losses_were_counted():
    training = {"seconds": 10.0, "samples_per_second": 5.0, "precision": "32-true"}
    assert describe_costs(None, training)["training"] == "10 s, 5 samples per second, 32-true"
