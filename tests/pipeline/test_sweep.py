"""Stages called by hand and Hydra multiruns, on data that the graph has prepared."""

import csv
import json
import logging
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from drnsr.data.prepared import PreparedDataset
from drnsr.errors import UserError
from drnsr.evaluation.benchmark import mean_values, measure
from drnsr.evaluation.methods import network_method
from drnsr.evaluation.protocol import get_protocol
from drnsr.tracking.jobs import read_jobs
from drnsr.tracking.tags import recorded
from drnsr.weights.native import load_model


@pytest.fixture
def without_store(another):
    """A project with prepared data and nothing else."""
    shutil.rmtree(another.root / "models")
    shutil.rmtree(another.root / "mlruns")
    (another.root / "mlflow.db").unlink()
    return another


@pytest.fixture
def prepared(without_store, empty_database):
    """A project with prepared data and an empty store of MLflow."""
    shutil.copyfile(empty_database, without_store.root / "mlflow.db")
    return without_store


@pytest.mark.slow
def test_runs_that_start_together_end_in_folders_of_their_own(without_store):
    command = ["python", "-m", "pipelines.train", "experiment=smoke", "trainer.max_steps=2"]
    both = [
        subprocess.Popen(
            [*command, f"seed={seed}"], cwd=without_store.root, env=without_store.environment
        )
        for seed in (31, 32)
    ]
    assert [process.wait() for process in both] == [0, 0]
    folders = sorted(without_store.root.glob("outputs/*/*"))
    assert len(folders) == 2
    protocol = get_protocol("paper_y")
    dataset = PreparedDataset.open(without_store.root / "data/prepared/benchmarks/sample_test")
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


def by_seed(project):
    """The runs of jobs by their seed, and the newest parent run."""
    runs = project.mlflow_runs()
    jobs = {run.data.params["seed"]: run for run in runs if "seed" in run.data.params}
    return jobs, next(run for run in runs if "seed" not in run.data.params)


@pytest.mark.slow
def test_a_sweep_reports_failed_jobs_and_the_same_command_does_what_is_left(prepared, monkeypatch):
    def fail(*_):
        raise RuntimeError("a defect")

    small = ("trainer.max_steps=2", "model.network.num_features=8", "model.network.num_blocks=1")
    command = ["pipelines.train", "-m", "experiment=smoke", *small]
    with monkeypatch.context() as patch:
        patch.setattr("drnsr.evaluation.cost.measure_cost", fail)
        error = prepared.call(*command, "seed=1", fails=True).stderr
    assert "1 of 1 jobs failed" in error
    assert "RuntimeError: a defect" in error
    result = prepared.call(*command, "seed=1,2", fails=True)
    last = result.stderr.splitlines()[-2:]
    assert last[0] == "error: 1 of 2 jobs failed:"
    assert last[1].startswith(
        "  job 0 (seed=1): failed before: RuntimeError: a defect; sweep.retry"
    )
    jobs, parent = by_seed(prepared)
    assert (jobs["1"].info.status, jobs["2"].info.status) == ("FAILED", "FINISHED")
    assert jobs["1"].data.tags["drnsr.error"] == "RuntimeError: a defect"
    assert parent.info.status == "FAILED"
    assert "RuntimeError: a defect" in parent.data.tags["drnsr.error"]

    result = prepared.call(*command, "seed=1,2", "sweep.retry_failed=true")
    assert result.stdout.count("done before") == 1  # seed 2
    again, parent = by_seed(prepared)
    assert parent.info.status == "FINISHED"
    for seed in ("1", "2"):
        assert again[seed].info.run_id == jobs[seed].info.run_id
        assert again[seed].info.status == "FINISHED"
        assert again[seed].data.tags["mlflow.parentRunId"] == parent.info.run_id
    shown = [each.run_id for each in job_records(prepared, parent)]
    assert sorted(shown) == sorted(run.info.run_id for run in again.values())
    best = max(again.values(), key=lambda run: run.data.metrics["sample_test/model/psnr"])
    text = prepared.call("drnsr", "adopt", parent.info.run_id).stdout
    assert f"has the configuration of run {best.info.run_id}" in text


def job_records(project, parent):
    """The records of the jobs that the newest sweep left in its folder."""
    folder = project.root / parent.data.tags["drnsr.sweep_folder"]
    return [job.result for job in read_jobs(folder)]


@contextmanager
def held_until_waited_for(runs):
    """Hold the locks of all trainings until a job says that it waits for one."""
    locks = [FileLock(folder / ".lock") for folder in runs.iterdir() if folder.is_dir()]

    class Release(logging.Handler):
        def emit(self, record):
            if "waiting for it" in record.getMessage():
                for lock in locks:
                    lock.release()

    handler, logger = Release(), logging.getLogger("drnsr")
    for lock in locks:
        lock.acquire()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        for lock in locks:
            lock.release(force=True)


@pytest.mark.slow
def test_a_study_runs_its_trials_under_one_parent_and_prunes(prepared):
    pytest.importorskip("optuna")
    command = [
        *("pipelines.sweep", "experiment=smoke", "trainer.max_steps=4", "trainer.validate_every=2"),
        *("model.network.num_blocks=1", "sweep.study.trials=1"),
    ]
    pruned = [
        "sweep.study.pruner._target_=optuna.pruners.ThresholdPruner",
        "~sweep.study.pruner.n_startup_trials",
        "+sweep.study.pruner.lower=1000",
        "sweep.study.trials=2",
    ]
    prepared.call(*command)
    prepared.call(*command, *pruned)
    prepared.call(*command, *pruned)  # the study has its two trials
    runs = prepared.mlflow_runs()
    (parent,) = (run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    trials = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert [run.info.status for run in trials] == ["KILLED", "FINISHED"]
    assert parent.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    jobs = read_jobs(prepared.root / "multirun/rate_and_width")
    assert [job.status for job in jobs] == ["finished", "pruned"]
    assert jobs[0].result is not None
    assert jobs[0].result.objective == trials[1].data.metrics["sample_test/model/psnr"]


@pytest.mark.slow
def test_a_sweep_that_is_ended_goes_on_where_it_was_and_other_launchers_find_it_done(prepared):
    command = [
        *("pipelines.train", "-m", "experiment=smoke", "seed=1,2", "trainer.threads=1"),
        *("trainer.max_steps=160", "trainer.validate_every=4", "checkpoints.seconds=0"),
        *("model.network.num_features=8", "model.network.num_blocks=1"),
    ]
    # Long enough that no job is done when the sweep is ended for the third time.
    process, said = ["python", "-m", *command], ("/160  loss", "evaluating")
    assert prepared.ended_by(signal.SIGTERM, [*process, "launcher=joblib"], *said) == 143
    prepared.ended_here_by(signal.SIGINT, command, *said)
    assert prepared.ended_by(signal.SIGKILL, process, *said) == -signal.SIGKILL
    # Joblib runs the jobs at once.
    result = prepared.run(*process, "launcher=joblib")
    assert "resuming after step" in result.stdout
    jobs, _ = by_seed(prepared)
    parents = [run for run in prepared.mlflow_runs() if "seed" not in run.data.params]
    assert [run.info.status for run in parents] == ["FINISHED", *["KILLED"] * 3]
    # A sweep that is ended may have begun one job alone: the other waits for a core meanwhile.
    tags = [name for job in jobs.values() for name in recorded(job)]
    belongs = {name for name in tags if name.startswith("drnsr.sweep.")}
    assert belongs == {f"drnsr.sweep.{run.info.run_id}" for run in parents}
    assert {run.info.status for run in jobs.values()} == {"FINISHED"}
    for parent in (parents[0], parents[-1]):  # the first had a part of the jobs
        mine = [run for run in jobs.values() if recorded(run).get(belongs_to(parent))]
        best = max(mine, key=lambda run: run.data.metrics["sample_test/model/psnr"])
        text = prepared.call("drnsr", "adopt", parent.info.run_id).stdout
        assert f"has the configuration of run {best.info.run_id}" in text
    assert len([run for run in jobs.values() if recorded(run).get(belongs_to(parents[0]))]) == 2

    rows = table_of(prepared, parents[0])
    assert [row["seed"] for row in rows] == ["1", "2"]
    for row in rows:
        psnr = jobs[row["seed"]].data.metrics["sample_test/model/psnr"]
        assert float(row["objective"]) == float(row["sample_test/psnr"]) == psnr
    # Another sweep has begun the same jobs, and holds their folders until this one waits for it.
    with held_until_waited_for(prepared.root / "runs"):
        result = prepared.call(*command)
    assert "another process trains this very run: waiting for it" in result.stdout
    assert result.stdout.count("done before") == 2
    _, again = by_seed(prepared)
    first = parents[0].data.tags["drnsr.sweep_folder"]
    outputs = [row["output"] for row in table_of(prepared, again)]
    assert outputs == [f"{first}/0", f"{first}/1"]


def table_of(project, parent):
    """The rows of a sweep's `results.csv`."""
    folder = project.root / parent.data.tags["drnsr.sweep_folder"]
    return list(csv.DictReader((folder / "results.csv").read_text().splitlines()))


@pytest.mark.slow
def test_ray_runs_the_jobs_to_the_same_bits_and_ends_them_at_a_signal(prepared):
    pytest.importorskip("ray")
    command = [
        *("pipelines.train", "-m", "experiment=smoke", "trainer.max_steps=40"),
        *("checkpoints.seconds=0", "trainer.threads=1"),
        *("model.network.num_features=8", "model.network.num_blocks=1"),
    ]
    on_ray = ["python", "-m", *command, "seed=1,2", "launcher=ray"]
    # Ray's own processes talk to each other by the machine's address, which a test cannot else.
    environment = prepared.environment | {"PYTHONPATH": str(prepared.root / "src")}
    with subprocess.Popen(
        on_ray,
        cwd=prepared.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # Ray chooses where it prints what its processes print
        text=True,
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "/40  loss" in line:
                break
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait() == 143, "".join(said)
    result = subprocess.run(
        on_ray, cwd=prepared.root, env=environment, capture_output=True, text=True
    )
    assert "resuming after step" in result.stdout + result.stderr
    assert result.returncode == 0, result.stderr
    jobs, parent = by_seed(prepared)
    assert {run.info.status for run in (parent, *jobs.values())} == {"FINISHED"}
    (made, _) = (Path(job.output) for job in job_records(prepared, parent))
    shutil.rmtree(prepared.root / "runs")
    prepared.call(*command, "seed=1", "hydra.sweep.dir=here")
    model = prepared.root / "here/0/models/model.safetensors"
    assert model.read_bytes() == (made / "models/model.safetensors").read_bytes()


def belongs_to(parent):
    return f"drnsr.sweep.{parent.info.run_id}"


@pytest.mark.slow
def test_what_would_end_the_evaluation_is_found_before_the_training(without_store):
    command = ["pipelines.train", "experiment=smoke", "hydra.run.dir=made"]
    error = without_store.call(*command, "benchmark=set14", fails=True).stderr
    assert "benchmarks/set14: no prepared data here; write `benchmark: set14`" in error
    (without_store.root / "made").mkdir(exist_ok=True)
    (without_store.root / "made/pictures").write_text("in the way")
    assert "made/pictures" in without_store.call(*command, fails=True).stderr
    assert "Traceback" not in error
    assert not (without_store.root / "made/models").exists()
    assert not (without_store.root / "mlflow.db").exists()


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
def test_without_tracking_mlflow_is_not_even_imported(without_store):
    program = (
        "import sys, runpy; sys.argv = ['train', 'logger=none', 'experiment=smoke',"
        " 'trainer.max_steps=2'];"
        "runpy.run_module('pipelines.train', run_name='__main__');"
        "print('mlflow' in sys.modules)"
    )
    result = without_store.run("python", "-c", program)
    assert result.stdout.splitlines()[-1] == "False"
    assert not (without_store.root / "mlflow.db").exists()


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
