"""Trainings in two processes: the same samples, weights, files and ends."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from PIL import Image
from safetensors.torch import load_file

from drnsr.config.compose import validate
from drnsr.reporting.file_info import describe_file
from drnsr.weights.native import read_info
from tests.conftest import PROJECT, free_port, texture
from tests.pipeline.conftest import Project

TWO = ("trainer=ddp_cpu",)
SMALL = (
    *("model.network.num_features=4", "model.network.num_blocks=1", "scale=2", "data=folder"),
    *("datamodule.patch_size=12", "datamodule.batch_size=8", "datamodule.validation_crop=32"),
    *("trainer.max_steps=6", "trainer.validate_every=3", "trainer.log_every=3"),
    *("trainer.threads=1", "scheduler.warmup_steps=2", "logger.experiment=null"),
    # In fp64 sums in another order differ by so little that no rounding hides a wrong sample.
    "trainer.precision=64-true",
    *("run.evaluate_after_training=false", "run.prepare_before_training=false"),
)


PYTHONPATH = f"{PROJECT / 'src'}{os.pathsep}{PROJECT}"
# Whose handlers torch's launcher replaces, for the rest of its process.
SET_BY_TORCHRUN = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


class Runs:
    """Runs the command on one prepared data set, each time in a folder of its own."""

    def __init__(self, folder, data):
        self.folder, self.data = folder, data

    def start(self, name, *options, launcher=("-m",)):
        place = self.folder / name
        place.mkdir(exist_ok=True)
        command = [sys.executable, *launcher, "pipelines.train"]
        return subprocess.Popen(
            [*command, *self._options(options)],
            cwd=place,
            env=os.environ | {"PYTHONPATH": PYTHONPATH},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run_here(self, name, *options, flags=(), capfd=None):
        """Train by the command in the test's own process, which has imported everything already.

        It starts further processes itself, if there are to be several; ``capfd`` has what they say.
        """
        handlers = {number: signal.getsignal(number) for number in SET_BY_TORCHRUN}
        try:
            result = self._project(name).call("pipelines.train", *flags, *self._options(options))
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return result.stdout + result.stderr + "".join(capfd.readouterr() if capfd else ())

    def ended_here_by(self, number, name, *options):
        """Train in the test's own process, and end it by a signal after some steps."""
        options = self._options((*options, "hydra.run.dir=ended"))  # which this process has locked
        self._project(name).ended_here_by(number, ["pipelines.train", *options], "step 3/")

    def _project(self, name):
        project = Project(self.folder / name, {"PYTHONPATH": PYTHONPATH})
        project.root.mkdir(exist_ok=True)
        return project

    def _options(self, options):
        return [*SMALL, f"run.data={self.data}", "hydra.run.dir=out", *options]

    def run(self, name, *options):
        process = self.start(name, *options)
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
        return output

    def weights(self, name, out="out"):
        return load_file(self.folder / name / out / "models/model.safetensors")

    def model(self, name, out="out"):
        return (self.folder / name / out / "models/model.safetensors").read_bytes()

    def curve(self, name, file):
        with (self.folder / name / "out/metrics/curves" / file).open() as rows:
            return [[float(value) for value in row] for row in list(csv.reader(rows))[1:]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    from drnsr.data.prepare import Part, prepare_training_set

    data = tmp_path_factory.mktemp("data")
    for number in range(5):
        pixels = texture(60 + 12 * number, 72, seed=number)
        Image.fromarray(pixels).save(data / f"{number}.png")
    prepare_training_set(
        # One picture to validate with, so that one of two processes has none.
        [Part(sorted(data.glob("*.png")), 0.2)],
        data / "prepared/train",
        name="folder",
        scales=[2, 3, 4],
    )
    return Runs(tmp_path_factory.mktemp("runs"), data)


@pytest.fixture(scope="module")
def two(runs):
    """A training in two processes, which writes a state after each step."""
    runs.run_here("two", *TWO, "checkpoints.seconds=0")
    return "two"


def largest_difference(one, other):
    return max((one[name] - other[name]).abs().max().item() for name in one)


@pytest.mark.slow
def test_two_processes_or_two_parts_give_the_weights_and_curves_of_one(runs, two):
    runs.run_here("one", "trainer=cpu")
    runs.run_here("parts", "trainer=cpu", "trainer.accumulate_grad_batches=2")
    start = runs.weights("one")
    for name in (two, "parts"):
        # Models are kept in fp32, whose last bit is about 6e-8 of a weight.
        assert largest_difference(start, runs.weights(name)) < 1e-7
        for file in ("training_loss.csv", "validation_psnr.csv"):
            for expected, found in zip(
                runs.curve("one", file), runs.curve(name, file), strict=True
            ):
                assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_two_processes_stop_early_at_the_step_of_one(runs):
    stops = "trainer.early_stopping={patience: 1, min_delta: 1000}"
    options = (stops, "trainer.validate_every=2")
    runs.run_here("early", "trainer=cpu", *options)
    runs.run_here("early_two", *TWO, *options)
    models = [
        runs.folder / name / "out/models/model.safetensors" for name in ("early", "early_two")
    ]
    assert [read_info(model).origin.stopped_after for model in models] == [4, 4]
    assert "after step 4" in describe_file(models[1])["stopped early"]
    assert largest_difference(runs.weights("early"), runs.weights("early_two")) < 1e-7


@pytest.mark.slow
def test_weights_that_are_shared_out_are_those_of_one_process_and_a_state_goes_on(runs, capfd):
    same = ("trainer.precision=32-true", "trainer.ema_decay=0", "optimizer=sgd")
    same += ("clipping=norm", "clipping.max_norm=0.01", "checkpoints.seconds=0")
    runs.run_here("unshared", "trainer=cpu", *same)
    shared = (*TWO, "trainer.strategy=fsdp", "trainer.accumulate_grad_batches=2", *same)
    assert "Warning" not in runs.run("shared", *shared)
    assert largest_difference(runs.weights("unshared"), runs.weights("shared")) < 1e-7
    assert read_info(runs.folder / "shared/out/models/model.safetensors").architecture == "DRNSR"
    bytes_before = runs.model("shared")
    (finished,) = (runs.folder / "shared/runs").glob("*/finished")
    finished.unlink()  # so that the last steps are trained again
    assert "resuming after step 5" in runs.run_here("shared", *shared, capfd=capfd)
    assert runs.model("shared") == bytes_before


@pytest.mark.slow
def test_two_nodes_of_torchrun_give_the_bytes_of_two_processes(runs, two):
    rendezvous = ("--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{free_port()}")
    launcher = ("-m", "torch.distributed.run", "--nnodes", "2", *rendezvous, "-m")
    options = (*TWO, "trainer.devices=1", "trainer.num_nodes=2")
    agents = [runs.start("nodes", *options, launcher=launcher) for _ in range(2)]
    outputs = [agent.communicate(timeout=240)[0] for agent in agents]
    assert [agent.returncode for agent in agents] == [0, 0], outputs
    one, other = runs.weights(two), runs.weights("nodes")
    assert all(one[name].equal(other[name]) for name in one)


def ranks_of(launcher):
    """Return the ids of the processes that a launcher started, by rank."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    found = {}
    for child in children:
        environment = Path(f"/proc/{child}/environ").read_bytes().decode(errors="replace")
        if match := re.search(r"(?:^|\0)RANK=(\d+)", environment):
            found[int(match[1])] = int(child)
    return found


def wait_for_a_state(folder, process):
    while not list(folder.glob("runs/*/step-*.ckpt")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


@pytest.fixture(scope="module")
def killed(runs):
    """The folder of `two`'s training as it is left when one of its processes is killed."""
    if sys.platform != "linux":
        pytest.skip("finds the processes in /proc")
    process = runs.start("killed", *TWO, "checkpoints.seconds=0")
    wait_for_a_state(runs.folder / "killed", process)
    ranks = ranks_of(process.pid)
    os.kill(ranks[1], signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error: process 1 of the training was ended by SIGKILL" in output
    assert not Path(f"/proc/{ranks[0]}").exists()
    return runs.folder / "killed"


@pytest.mark.slow
def test_a_killed_process_ends_the_others_and_the_command_goes_on_to_the_same_bytes(
    runs, two, killed, capfd
):
    shutil.copytree(killed, runs.folder / "resumed")
    said = runs.run_here("resumed", *TWO, "checkpoints.seconds=0", capfd=capfd)
    assert "resuming after step" in said
    assert runs.model("resumed") == runs.model(two)


@pytest.mark.slow
def test_a_training_goes_on_with_another_number_of_processes_and_says_so(runs, killed):
    runs.run_here("whole", "trainer=cpu")
    shutil.copytree(killed, runs.folder / "mixed")
    options = ("trainer=cpu", "checkpoints.seconds=0")
    assert "going on after step" in runs.run_here("mixed", *options)
    assert largest_difference(runs.weights("whole"), runs.weights("mixed")) < 1e-7
    origin = read_info(runs.folder / "mixed/out/models/model.safetensors").origin
    assert origin.computed == "1 process of 1 thread"
    assert [part.computed for part in origin.earlier] == ["2 processes of 1 thread"]


@pytest.mark.slow
def test_two_processes_train_against_the_discriminator_of_one(runs, capfd):
    """The discriminator normalises and compares over the whole batch."""
    against = ("gan=esrgan", "gan.features.weights=null", "gan.weights.perceptual=0")
    against += ("gan.discriminator.num_features=4", "gan.discriminator.input_size=32")
    against += ("gan.weights.adversarial=1", "datamodule.patch_size=16", "trainer.max_steps=12")
    runs.run_here("gan", "trainer=cpu", *against)
    runs.ended_here_by(signal.SIGTERM, "gan_mixed", "trainer=cpu", *against)
    said = runs.run_here("gan_mixed", *TWO, *against, capfd=capfd)
    assert "going on after step" in said
    # Logits are compared in fp32.
    assert largest_difference(runs.weights("gan"), runs.weights("gan_mixed")) < 1e-6


@pytest.mark.slow
def test_sigterm_ends_all_processes_after_the_same_step(runs):
    process = runs.start("ended", *TWO, "checkpoints.seconds=0", "trainer.max_steps=5000")
    wait_for_a_state(runs.folder / "ended", process)
    process.terminate()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    (step,) = re.findall(r"error: SIGTERM after step (\d+) of 5000", output)
    assert list((runs.folder / "ended").glob(f"runs/*/step-{int(step):08d}-*.ckpt"))


@pytest.mark.slow
def test_a_sweep_trains_each_job_in_two_processes(runs):
    sweep = ("seed=1,2", "hydra.sweep.dir=out", "hydra.sweep.subdir=${hydra.job.num}")
    gan = (
        "gan=esrgan",
        "gan.features.weights=null",
        "gan.discriminator.num_features=4",
        "gan.weights.perceptual=0",
    )
    crops = ("datamodule.patch_size=null", "datamodule.hr_patch_size=32")
    output = runs.run_here("sweep", *TWO, *gan, *crops, *sweep, flags=("-m",))
    assert "Launching 2 jobs" in output
    models = {runs.model("sweep", f"out/{job}") for job in (0, 1)}
    assert len(models) == 2


def test_the_script_for_slurm_is_a_script_whose_command_line_composes():
    script = PROJECT / "docs/scale.sbatch"
    subprocess.run(["bash", "-n", script], check=True)
    _, _, command = script.read_text().partition("-m pipelines.train ")
    composed = compose_choices_of_command(command.split())
    assert (composed.trainer.devices, composed.trainer.num_nodes) == (8, 4)


def compose_choices_of_command(overrides):
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        return validate(compose("config", overrides=["run=graph", *overrides]))
