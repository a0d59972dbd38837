"""A training of the graph that is killed goes on to the same bytes."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

LONG_ENOUGH_TO_BE_KILLED = {
    "trainer": {"max_steps": 80, "validate_every": 20, "log_every": 10},
    "checkpoints": {"seconds": 0},
}


def trainings_in(root):
    """Return the ids of the processes of the stage `train` that run in ``root`` or below it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"pipelines.train" in words and (process / "cwd").resolve().is_relative_to(root):
                found.append(int(process.name))
        except OSError:
            continue  # the process has ended meanwhile
    return found


def kill_after_some_steps(project):
    deadline = time.monotonic() + 300
    while not list(project.root.glob("runs/*/step-*.ckpt")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (training,) = trainings_in(project.root)
    os.kill(training, signal.SIGKILL)


def outputs_of_training(project):
    lock = yaml.safe_load((project.root / "dvc.lock").read_text())
    outs = lock["stages"]["train"]["outs"]
    return {out["path"]: out["md5"] for out in outs}


@pytest.mark.slow
def test_killed_in_the_queue_and_queued_again(another):
    another.choose(set=LONG_ENOUGH_TO_BE_KILLED)
    another.run("git", "add", "-A")
    another.run("git", "commit", "-qm", "to be queued")
    for name in ("killed", "again"):
        another.run("dvc", "exp", "run", "--queue", "--name", name, "train")
        # The worker would hold on to the pipes of our command, and this wait for its end.
        another.run("sh", "-c", "dvc queue start > start.log 2>&1")
        if name == "killed":
            kill_after_some_steps(another)
        another.wait_for_the_queue(worker_left=name == "killed")
    assert "resuming after step" in another.call("dvc", "queue", "logs", "again").stdout
    another.call("dvc", "exp", "apply", "again")
    again = outputs_of_training(another)
    shutil.rmtree(another.root / "runs")
    another.run_stages("train")
    another.call("dvc", "commit", "--force", "train")
    whole = outputs_of_training(another)
    assert "models/model.safetensors" in whole
    assert again == whole


@pytest.mark.slow
def test_a_second_training_of_the_same_run_says_so_and_leaves(another):
    shutil.rmtree(another.root / "runs")
    command = ["pipelines.train", "experiment=smoke", "trainer.max_steps=2000"]
    first = subprocess.Popen(
        ["python", "-m", *command, "hydra.run.dir=first"],
        cwd=another.root,
        env=another.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 300
        while not list(another.root.glob("runs/*/mlflow/*/delivered.json")):
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        second = another.call(*command, "hydra.run.dir=second", fails=True)
        assert "another process trains this very run" in second.stderr
        assert "Traceback" not in second.stderr
        assert not (another.root / "second/models/model.safetensors").exists()
        assert first.poll() is None  # and goes on
    finally:
        first.kill()
        first.wait()
