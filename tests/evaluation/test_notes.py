"""What is said of a training whose PSNR alone would mislead."""

import pytest

from drnsr.config.compose import compose_choices, validate
from drnsr.config.errors import ConfigError
from drnsr.evaluation.metrics import MetricError
from drnsr.evaluation.notes import training_notes


def notes(**choices):
    config = validate(compose_choices(choices), train_steps=False)
    return training_notes(config.model_dump())


def test_a_lower_psnr_on_purpose_is_explained():
    adversarial, degraded = notes(experiment="photo_gan")
    assert "lowers the PSNR on purpose" in adversarial
    assert adversarial.endswith("Judge it by eye, by NIQE and ST-LPIPS (lower is better).")
    assert "second_order" in degraded
    (alone,) = notes(experiment="esrgan_x4", set={"metrics": []})
    assert alone.endswith("Judge it by eye, and by a perceptual metric of drnsr evaluate.")
    assert notes(experiment="release_x2") == training_notes({}) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"metrics": ["lpips"]}, "metrics: 'lpips' is unknown"),
        ({"metrics": ["sam"]}, "metrics: protocol paper_y: SAM is defined on each band"),
        (
            {"metrics": ["st_lpips"], "protocol": "classic_y"},
            "metrics: protocol classic_y: ST-LPIPS is defined on RGB, and here the BT.601 luma is",
        ),
        (
            {"sweep": {"objective": "vif"}},
            "sweep.objective: vif is not one of psnr, ssim,",
        ),
    ],
)
def test_metrics_that_cannot_be_computed_are_refused_before_anything_runs(values, message):
    with pytest.raises(ConfigError, match=message):
        validate(compose_choices({"set": values}), train_steps=False)


def test_a_sweep_can_be_judged_by_a_metric_that_is_added():
    values = {"metrics": ["vif"], "sweep": {"objective": "vif"}}
    config = validate(compose_choices({"set": values}), train_steps=False)
    assert (config.metrics, config.sweep.objective) == (["vif"], "vif")


def test_a_missing_package_is_named_to_those_who_run_and_not_to_those_who_look(monkeypatch):
    composed = compose_choices({"set": {"metrics": ["niqe"]}})
    monkeypatch.setattr("drnsr.evaluation.metrics.find_spec", lambda package: None)
    with pytest.raises(MetricError, match=r"niqe needs .*`pip install 'drnsr\[perceptual\]'`"):
        validate(composed)
    assert validate(composed, train_steps=False).metrics == ["niqe"]
