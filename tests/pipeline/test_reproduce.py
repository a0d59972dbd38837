"""What was recorded of a run is enough to make it again."""

import json
import shutil

import pytest
from mlflow import MlflowClient

from drnsr.hashing import file_sha256
from drnsr.tracking.tags import recorded
from tests.pipeline.conftest import Project


def test_info_prints_the_chain_behind_a_model(finished):
    shown = finished.call("drnsr", "info", "models/model.safetensors").stdout
    (run,) = finished.mlflow_runs()
    head = finished.run("git", "rev-parse", "HEAD").stdout.strip()
    assert f"{run.info.run_id} (drnsr-x2-sample-seed0, FINISHED)" in shown
    assert f"{head} and uncommitted changes" in shown  # of params.yaml
    assert recorded(run)["drnsr.data.train"] in shown
    assert recorded(run)["drnsr.data.sample_test"] in shown
    assert "torch==2.13.0" in shown
    assert f"{run.data.metrics['sample_test/model/psnr']:.4f}" in shown
    assert f"drnsr reproduce {run.info.run_id}" in shown


def test_info_prints_the_chain_behind_a_picture(finished, tmp_path):
    model = ["--model", "models/model.safetensors"]
    finished.call("drnsr", "upscale", "docs/small.png", *model, "--out", str(tmp_path))
    shown = finished.call("drnsr", "info", str(tmp_path / "small_x2.png")).stdout
    (run,) = finished.mlflow_runs()
    assert f"{run.info.run_id} (drnsr-x2-sample-seed0, FINISHED)" in shown
    assert recorded(run)["drnsr.data.train"] in shown
    assert "git commit:" in shown
    assert "environment:" in shown


@pytest.mark.slow
def test_a_model_file_is_made_again_to_the_last_bit_and_a_tampered_number_is_seen(another):
    # The commit has no experiment; the change of params.yaml is in the run's patch.
    assert another.run("git", "status", "--short", "params.yaml").stdout
    made = another.call("drnsr", "reproduce", "models/model.safetensors", "--into", "again")
    assert "values are the same, to the last bit" in made.stdout
    assert "sample_test/model/psnr" in made.stdout
    names = ["models/model.safetensors", "metrics/benchmark.json", "metrics/per_image.csv"]
    names += ["metrics/curves/training_loss.csv", "metrics/curves/validation_psnr.csv"]
    for name in names:
        assert (another.root / "again" / name).read_bytes() == (another.root / name).read_bytes()

    (run,) = another.mlflow_runs()
    client = MlflowClient(f"sqlite:///{another.root / 'mlflow.db'}")
    client.log_metric(run.info.run_id, "sample_test/model/psnr", 99.0, step=1)
    failed = another.call("drnsr", "reproduce", run.info.run_id, "--into", "again", fails=True)
    assert "1 of 9 values differ: sample_test/model/psnr" in failed.stderr
    assert "Traceback" not in failed.stderr


def stages_here(folder, *arguments):
    """Do what DVC does for `drnsr reproduce`, whose own test starts it, in the test's process."""
    stages = {"prepare": ("fetch", "prepare"), "config": ()}
    if arguments[0] == "repro":
        rest = ("train", "evaluate", "verify", "report")
        Project(folder.resolve()).run_stages(*stages.get(arguments[-1], rest))


@pytest.mark.slow
def test_the_best_of_a_sweep_becomes_the_result_of_the_graph(another, monkeypatch):
    shutil.rmtree(another.root / "models")
    another.call(
        *("pipelines.train", "-m", "optimizer.lr=1e-6,2e-3"),
        *("experiment=smoke", "model.network.num_features=8", "trainer.max_steps=2"),
        "hydra.sweep.dir=sweep",
    )
    (parent,) = (run for run in another.mlflow_runs() if "drnsr.training" not in recorded(run))
    printed = another.call("drnsr", "adopt", parent.info.run_id).stdout
    assert "params.yaml now has the configuration" in printed
    another.run_stages("train", "evaluate")
    jobs = {}
    for job in (another.root / "sweep").glob("[01]"):
        content = json.loads((job / "metrics/benchmark.json").read_text())
        jobs[content["sample_test"]["model"]["psnr"]] = job
    best = jobs[max(jobs)]
    for name in ("models/model.safetensors", "metrics/benchmark.json"):
        assert file_sha256(another.root / name) == file_sha256(best / name)

    # A job of a sweep has no lines in any commit, and is made again all the same.
    rates = {run.data.params.get("optimizer.lr"): run for run in another.mlflow_runs()}
    monkeypatch.setattr("drnsr.tracking.reproduction.run_dvc", stages_here)
    made = another.call("drnsr", "reproduce", rates["1e-06"].info.run_id)
    assert "values are the same, to the last bit" in made.stdout


def fails_with(project, *command):
    result = project.call("drnsr", *command, fails=True)
    assert "Traceback" not in result.stderr + result.stdout
    assert result.stderr.startswith("error: "), result.stderr
    return result.stderr


@pytest.mark.slow
def test_what_cannot_be_reproduced_is_named(another):
    assert "abc" in fails_with(another, "reproduce", "abc")
    shutil.copy(another.root / "params.yaml", another.root / "other.safetensors")
    error = fails_with(another, "adopt", "other.safetensors")
    assert error.startswith("error: other.safetensors: this MLflow has no run that made the model")
    (run,) = another.mlflow_runs()
    shutil.rmtree(another.root / ".git")
    another.run("git", "init", "-q")
    assert "has no commit" in fails_with(another, "reproduce", run.info.run_id)
