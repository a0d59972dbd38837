"""The launchers of sweeps: what SLURM would get, and how jobs share one machine."""

import logging
import os
import subprocess
import sys
from contextlib import ExitStack

import pytest
from filelock import FileLock, Timeout
from hydra import compose, initialize_config_dir

from drnsr.config.errors import ConfigError, composition_errors
from drnsr.errors import UserError
from drnsr.project import CONF
from pipelines import ray_tasks, sharing
from pipelines.sharing import own_share
from tests.conftest import PROJECT


def launcher(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=["run=graph", *overrides], return_hydra_config=True)
    config.hydra.sweep.dir = "multirun/here"
    config.hydra.job.name = "train"
    return config.hydra.launcher


def test_a_launcher_whose_plugin_is_missing_is_told_with_what_to_do(monkeypatch):
    told = r"plugin for other is missing: pip install '\.\[sweep\]'"
    with pytest.raises(ConfigError, match=told), composition_errors():
        launcher("hydra/launcher=other")
    monkeypatch.setattr(ray_tasks, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"Ray is not installed: pip install '\.\[ray\]'"):
        ray_tasks.run_tasks(ray_tasks.HydraJobs(None, None, None), [], 1, None)


def test_jobs_that_no_machine_of_a_ray_cluster_has_room_for_are_refused():
    """Ray would wait for ever."""

    class Cluster:
        def nodes(self):
            known = [({"CPU": 4.0}, True), ({"CPU": 2.0, "GPU": 1.0}, True), ({"CPU": 64.0}, False)]
            return [{"Resources": resources, "Alive": alive} for resources, alive in known]

    ray_tasks.check_size(Cluster(), 4, 1)
    with pytest.raises(UserError, match=r"8 CPUs, and no machine .* more than 4: lower trainer\."):
        ray_tasks.check_size(Cluster(), 8, 0)
    with pytest.raises(UserError, match=r"2 GPUs, and no machine .* more than 1"):
        ray_tasks.check_size(Cluster(), 1, 2)


def test_jobs_on_ray_have_the_cores_of_the_training():
    assert launcher("launcher=ray", "trainer.threads=3").num_cpus == 3


def test_slurm_gets_an_array_of_jobs_with_the_cores_and_gpus_of_the_training():
    slurm = pytest.importorskip("submitit.slurm.slurm")
    chosen = launcher("launcher=slurm", "trainer.threads=3", "trainer=gpu")
    hydra_only = ("_target_", "submitit_folder", "max_num_timeout", "name", "timeout_min", "mem_gb")
    values = {key: chosen[key] for key in chosen if key not in hydra_only}
    values = {key: value for key, value in values.items() if value is not None}
    values["ntasks_per_node"] = values.pop("tasks_per_node")
    values["additional_parameters"] = dict(values["additional_parameters"])
    text = slurm._make_sbatch_string(
        command="python -m submitit.core._submit here",
        folder=chosen.submitit_folder,
        job_name=chosen.name,
        time=chosen.timeout_min,
        map_count=4,
        **values,
    )
    lines = text.splitlines()
    for wanted in (
        *("--cpus-per-task=3", "--gpus-per-node=1", "--time=1440", "--nodes=1"),
        *("--array=0-3%4", "--signal=USR2@120", "--open-mode=append"),
    ):
        assert f"#SBATCH {wanted}" in lines, text
    assert chosen.max_num_timeout == 20


def test_jobs_at_once_have_gpus_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(sharing, "gpus", lambda accelerator: ["3", "5"])
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with own_share("joblib", "gpu", threads=2, devices=1):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
        with own_share("joblib", "gpu", threads=2, devices=1):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"
            files = sorted(tmp_path.glob("*/*.lock"))
            assert len(files) == 2
            for file in files:
                with pytest.raises(Timeout):
                    FileLock(file).acquire(timeout=0)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    with own_share("submitit_local", "gpu", threads=2, devices=2):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "3,5"


def test_a_job_that_waits_for_others_says_so_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    pauses = []

    with caplog.at_level(logging.INFO, "drnsr"), ExitStack() as others:
        others.enter_context(own_share("joblib", "cpu", threads=os.cpu_count(), devices=1))

        def pause(seconds):
            pauses.append(seconds)
            if len(pauses) == 3:
                others.close()

        monkeypatch.setattr(sharing.time, "sleep", pause)
        with own_share("joblib", "cpu", threads=os.cpu_count(), devices=1):
            pass
    assert len(pauses) == 3
    assert [record.message for record in caplog.records] == [
        "waiting: other jobs of yours on this machine use its cores"
    ]


_SWEEP = """
import os, pathlib, time
from pipelines.multirun import ended_with_sweep
os.environ["DRNSR_SWEEP_PROCESS"] = str(os.getpid())
if os.fork():
    os.wait()
else:
    with ended_with_sweep("joblib"):
        print("begun", flush=True)
        while not pathlib.Path("killed").exists():
            time.sleep(0.01)
        pathlib.Path("finished").touch()
    pathlib.Path("next").touch()
"""


def test_a_job_whose_sweep_was_killed_is_the_last_of_its_process(tmp_path):
    command = [sys.executable, "-c", _SWEEP]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE) as sweep:
        assert sweep.stdout.readline() == b"begun\n"
        sweep.kill()
        sweep.wait()
        (tmp_path / "killed").touch()
        sweep.stdout.read()  # until the job has ended, too
    assert (tmp_path / "finished").exists()
    assert not (tmp_path / "next").exists()


def test_jobs_at_once_have_cores_of_their_own(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    chosen = launcher("launcher=joblib", "trainer.threads=3", "trainer.accelerator=cpu")
    assert chosen.n_jobs == 2
    chosen = launcher("launcher=joblib", "trainer.threads=9", "trainer.accelerator=cpu")
    assert chosen.n_jobs == 1
