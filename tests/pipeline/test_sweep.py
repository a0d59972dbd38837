"""Stages called by hand and Hydra multiruns, on data that the graph has prepared."""

import json
import shutil
import subprocess

import pytest

from drnsr.data.prepared import PreparedDataset
from drnsr.errors import UserError
from drnsr.evaluation.benchmark import mean_values, measure
from drnsr.evaluation.methods import network_method
from drnsr.evaluation.protocol import get_protocol
from drnsr.weights.native import load_model


@pytest.fixture
def prepared(another):
    """A project with prepared data and nothing else."""
    shutil.rmtree(another.root / "models")
    shutil.rmtree(another.root / "mlruns")
    (another.root / "mlflow.db").unlink()
    return another


@pytest.mark.slow
def test_runs_that_start_together_end_in_folders_of_their_own(prepared):
    command = ["python", "-m", "pipelines.train", "experiment=smoke", "trainer.max_steps=2"]
    both = [
        subprocess.Popen([*command, f"seed={seed}"], cwd=prepared.root, env=prepared.environment)
        for seed in (31, 32)
    ]
    assert [process.wait() for process in both] == [0, 0]
    folders = sorted(prepared.root.glob("outputs/*/*"))
    assert len(folders) == 2
    protocol = get_protocol("paper_y")
    dataset = PreparedDataset.open(prepared.root / "data/prepared/benchmarks/sample_test")
    for folder in folders:
        network = load_model(folder / "models/model.safetensors")
        method = network_method(network, 2, "model", "cpu")
        measured = list(measure(dataset, [method], scale=2, protocol=protocol))
        scores = [picture.results["model"].values for picture in measured]
        mean = mean_values(scores, [picture.pixels for picture in measured], protocol)
        written = json.loads((folder / "metrics/benchmark.json").read_text())["sample_test"]
        assert written["model"]["psnr"] == pytest.approx(mean["psnr"], abs=1e-4)
    seeds = {(folder / ".hydra/overrides.yaml").read_text().split("seed=")[1] for folder in folders}
    assert len(seeds) == 2


@pytest.mark.slow
def test_a_multirun_trains_and_evaluates_each_job_under_one_parent(prepared):
    metrics = (prepared.root / "metrics/benchmark.json").read_bytes()
    prepared.call(
        *("pipelines.train", "-m", "model=drnsr,edsr_baseline", "seed=1,2"),
        *("trainer.max_steps=2", "model.network.num_features=8", "model.network.num_blocks=1"),
    )
    jobs = sorted(prepared.root.glob("multirun/*/*/[0-9]"))
    assert len(jobs) == 4
    for job in jobs:
        assert (job / "models/model.safetensors").is_file()
        assert (job / "metrics/benchmark.json").is_file()
    assert not (prepared.root / "models").exists()
    assert (prepared.root / "metrics/benchmark.json").read_bytes() == metrics
    runs = prepared.mlflow_runs()
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    (parent,) = (run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len({run.data.metrics["sample_test/model/psnr"] for run in children}) == 4


@pytest.mark.slow
def test_a_job_that_fails_does_not_end_the_others(prepared):
    result = prepared.run(  # the parent's MLflow run ends with the process
        *("python", "-m", "pipelines.train", "-m", "datamodule.patch_size=400,16"),
        *("experiment=smoke", "trainer.max_steps=2"),
        fails=True,
    )
    assert "error: " in result.stderr
    assert "datamodule.patch_size" in result.stderr
    assert "Traceback" not in result.stderr
    (done,) = prepared.root.glob("multirun/*/*/[0-9]/models/model.safetensors")
    assert done.parts[-3] == "1"
    statuses = sorted(run.info.status for run in prepared.mlflow_runs())
    assert statuses == ["FAILED", "FAILED", "FINISHED"]  # the job, the parent, the other job


@pytest.mark.slow
def test_what_would_end_the_evaluation_is_found_before_the_training(prepared):
    command = ["pipelines.train", "experiment=smoke", "hydra.run.dir=made"]
    error = prepared.call(*command, "benchmark=set14", fails=True).stderr
    assert "benchmarks/set14: no prepared data here; write `benchmark: set14`" in error
    (prepared.root / "made").mkdir(exist_ok=True)
    (prepared.root / "made/pictures").write_text("in the way")
    assert "made/pictures" in prepared.call(*command, fails=True).stderr
    assert "Traceback" not in error
    assert not (prepared.root / "made/models").exists()
    assert not (prepared.root / "mlflow.db").exists()


@pytest.mark.slow
def test_an_evaluation_that_fails_ends_its_run_and_the_same_command_completes_it(
    prepared, monkeypatch
):
    def fail(*_):
        raise UserError("no memory left")

    command = ["pipelines.train", "experiment=smoke", "trainer.max_steps=2"]
    with monkeypatch.context() as patch:
        patch.setattr("drnsr.evaluation.cost.measure_cost", fail)
        error = prepared.call(*command, fails=True).stderr
    assert "error: no memory left" in error
    (run,) = prepared.mlflow_runs()
    assert run.info.status == "FAILED"
    assert run.data.tags["drnsr.model_sha256"]  # the training was complete
    prepared.call(*command)
    (completed,) = prepared.mlflow_runs()
    assert completed.info.run_id == run.info.run_id
    assert completed.info.status == "FINISHED"
    assert "sample_test/model/psnr" in completed.data.metrics


@pytest.mark.slow
def test_without_tracking_mlflow_is_not_even_imported(prepared):
    program = (
        "import sys, runpy; sys.argv = ['train', 'logger=none', 'experiment=smoke',"
        " 'trainer.max_steps=2'];"
        "runpy.run_module('pipelines.train', run_name='__main__');"
        "print('mlflow' in sys.modules)"
    )
    result = prepared.run("python", "-c", program)
    assert result.stdout.splitlines()[-1] == "False"
    assert not (prepared.root / "mlflow.db").exists()


@pytest.mark.slow
def test_the_second_stage_of_esrgan_trains_without_any_download(prepared):
    small = {"num_features": 8, "num_blocks": 1, "num_growth": 4}
    prepared.call(
        *("pipelines.train", "experiment=esrgan_x4", "hydra.run.dir=run"),
        *("data=sample", "benchmark=sample_test", "gan.features.weights=null", "logger=none"),
        *(f"model.network.{name}={value}" for name, value in small.items()),
        *(
            "gan.discriminator.num_features=4",
            "datamodule.hr_patch_size=32",
            "datamodule.batch_size=2",
        ),
        *("trainer.max_steps=4", "trainer.validate_every=2", "trainer.log_every=2"),
    )
    made = prepared.root / "run"
    assert (made / "models/model.safetensors").is_file()
    assert (made / "metrics/benchmark.json").is_file()
    steps = (made / "metrics/curves/training_loss.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in steps] == ["2", "4"]  # not once for each optimizer
