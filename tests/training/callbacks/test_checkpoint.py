"""A run that was ended resumes to the same bits as a run that was not."""

import hashlib
import itertools
import logging
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import lightning as L
import pytest
import torch
from torch.testing import assert_close

from drnsr.data.prepared import PreparedDataset
from drnsr.errors import SignalError
from drnsr.networks import DRNSR
from drnsr.networks.expansion import expand_kernels, fold_kernels
from drnsr.training.module import SRModule
from drnsr.training.muon import Muon
from drnsr.training.trainer import PlatformError
from drnsr.weights.loading import load_network
from tests.conftest import make_dataset, make_pictures
from tests.training.runs import End, EndedError, against_a_discriminator, run_outputs, train


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    return make_dataset(make_pictures(folder / "pictures"), folder / "dataset")


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory):
    """The outputs of a run that is not ended."""
    folder = tmp_path_factory.mktemp("whole")
    return run_outputs(train(dataset, folder), folder)


@pytest.mark.parametrize(
    ("hook", "step", "workers"),
    [
        ("train_batch_start", 1, 0),
        ("train_batch_end", 4, 0),
        ("validation_start", 5, 2),
        ("validation_end", 5, 0),
        ("train_batch_end", 12, 0),
    ],
)
def test_a_run_that_is_ended_anywhere_resumes_to_the_same_bits(
    dataset, tmp_path, whole, hook, step, workers
):
    folder = tmp_path / "ended"
    common = {"workers": workers, "seconds_between_states": 0}
    with pytest.raises(EndedError):
        train(dataset, folder, callbacks=[End(hook, step)], **common)
    assert run_outputs(train(dataset, folder, **common), folder) == whole


def states(folder):
    return sorted((folder / "states").glob("step-*.ckpt"))


def ended_after(step, dataset, folder, **options):
    callbacks = [End("train_batch_end", step)]
    with pytest.raises(EndedError):
        train(dataset, folder, callbacks=callbacks, seconds_between_states=0, **options)


def muon(parameters):
    return Muon(parameters, lr=5e-3, adam_lr=5e-3)


def test_a_run_that_accumulates_gradients_resumes_in_the_middle_of_a_step(dataset, tmp_path):
    whole = run_outputs(train(dataset, tmp_path / "whole", accumulate=2), tmp_path / "whole")
    ended_after(5, dataset, tmp_path / "ended", accumulate=2)  # and one batch
    ended = run_outputs(train(dataset, tmp_path / "ended", accumulate=2), tmp_path / "ended")
    assert ended == whole


def test_muon_resumes_too(dataset, tmp_path):
    whole = run_outputs(train(dataset, tmp_path / "whole", optimizer=muon), tmp_path / "whole")
    ended_after(5, dataset, tmp_path / "ended", optimizer=muon)
    network = train(dataset, tmp_path / "ended", optimizer=muon)
    assert run_outputs(network, tmp_path / "ended") == whole


def expanded(**arguments):
    network = DRNSR(**arguments)
    expand_kernels(network, 2)
    return network


def test_expanded_kernels_resume_too_and_their_states_are_plain_models(dataset, tmp_path):
    options = {"architecture": expanded, "optimizer": muon}
    whole = run_outputs(train(dataset, tmp_path / "whole", **options), tmp_path / "whole")
    ended_after(5, dataset, tmp_path / "ended", **options)
    network = train(dataset, tmp_path / "ended", **options)
    assert run_outputs(network, tmp_path / "ended") == whole
    folded = fold_kernels(network)
    lr = torch.rand(1, 3, 8, 8)
    assert_close(folded(lr), network(lr))
    (last,) = (tmp_path / "ended/states").glob("last-*.ckpt")
    for name, tensor in load_network(last).state_dict().items():
        assert_close(tensor, folded.state_dict()[name])


def test_only_the_newest_states_the_last_and_the_best_are_kept(dataset, tmp_path):
    for _ in range(2):  # the last state is written again
        train(dataset, tmp_path, seconds_between_states=0)
        assert [path.name[:13] for path in sorted((tmp_path / "states").iterdir())] == [
            *("best.ckpt", "last-00000012", "step-00000010", "step-00000011")
        ]


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_bit,
        lambda path: os.truncate(path, 1000),
        lambda path: os.truncate(path, 0),
    ],
    ids=["flipped", "truncated", "empty"],
)
def test_a_damaged_state_is_reported_and_the_previous_one_used(
    dataset, tmp_path, whole, caplog, damage
):
    folder = tmp_path / "ended"
    ended_after(7, dataset, folder)
    older, newest = states(folder)
    damage(newest)
    with caplog.at_level(logging.INFO, "drnsr"):
        again = run_outputs(train(dataset, folder), folder)
    assert f"{newest} is damaged" in caplog.text
    assert f"resuming after step 5 (from {older};" in caplog.text
    assert again == whole


def test_a_state_of_another_run_is_never_used(dataset, tmp_path, whole, caplog):
    folder = tmp_path / "ended"
    ended_after(7, dataset, folder, seed=1, fingerprint="of another run")
    content = b"planted, under the name that its hash gives"
    planted = folder / f"step-00000009-{hashlib.sha256(content).hexdigest()[:16]}.ckpt"
    planted.write_bytes(content)
    again = run_outputs(train(dataset, folder), folder)
    assert caplog.text.count("is no state of this configuration, data and code; skipped") >= 2
    assert again == whole


class Send(L.Callback):
    """Sends this process a signal in the middle of a step."""

    def __init__(self, number, step):
        self.number, self.step = number, step

    def on_before_backward(self, trainer, *_):
        if trainer.global_step == self.step:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_after_its_step_with_the_state_written(
    dataset, tmp_path, whole, number, capsys
):
    folder, before = tmp_path / "ended", signal.getsignal(number)
    with pytest.raises(SignalError, match=rf"{number.name} after step 4 of 12") as caught:
        train(dataset, folder, callbacks=[Send(number, 3)])
    assert caught.value.exit_code == 128 + number
    assert number.name in capsys.readouterr().err
    assert signal.getsignal(number) == before
    assert [path.name[:13] for path in states(folder)] == ["step-00000004"]
    assert run_outputs(train(dataset, folder), folder) == whole


def test_a_full_disk_leaves_the_states_before(dataset, tmp_path, whole, monkeypatch):
    folder = tmp_path / "ended"
    save = L.Trainer.save_checkpoint

    def fails(trainer, path, *arguments):
        save(trainer, path, *arguments)
        if trainer.global_step == 4:
            os.truncate(path, 500)
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(L.Trainer, "save_checkpoint", fails)
    with pytest.raises(OSError, match="No space left") as caught:
        train(dataset, folder, seconds_between_states=0)
    assert str(folder) in str(caught.value.filename)
    monkeypatch.undo()
    assert [path.name[:13] for path in states(folder)] == ["step-00000002", "step-00000003"]
    assert run_outputs(train(dataset, folder), folder) == whole


class KillTheWorkers(L.Callback):
    """Kills the loader workers, as a system out of memory does, and waits for their end."""

    def on_before_backward(self, trainer, *_):
        if trainer.global_step == 4:
            workers = multiprocessing.active_children()
            for worker in workers:
                worker.kill()
            for worker in workers:
                worker.join()


# torch notices either the signal or the missing worker first.
WORKER_GONE = r"a loader worker ended: .*(Killed|exited unexpectedly)"


def test_killed_workers_end_the_run_in_one_line(dataset, tmp_path, whole):
    folder = tmp_path / "ended"
    with pytest.raises(PlatformError, match=WORKER_GONE) as caught:
        train(dataset, folder, workers=2, callbacks=[KillTheWorkers()], seconds_between_states=0)
    assert "\n" not in str(caught.value)
    assert run_outputs(train(dataset, folder, workers=2), folder) == whole


class NotDeterministic(L.Callback):
    """Runs an operation that has no deterministic form in torch."""

    def on_before_backward(self, *_):
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2))


def test_an_operation_without_a_deterministic_form_ends_the_run_at_its_start(dataset, tmp_path):
    with pytest.raises(PlatformError, match="put_ does not have a deterministic") as caught:
        train(dataset, tmp_path / "ended", callbacks=[NotDeterministic()])
    assert "\n" not in str(caught.value)


def test_a_clock_that_jumps_changes_nothing(dataset, tmp_path, whole, monkeypatch):
    jumps = itertools.cycle([-1e6, 0.0, 1e7])
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + next(jumps))
    folder = tmp_path / "jumping"
    assert run_outputs(train(dataset, folder, seconds_between_states=3600), folder) == whole
    assert states(folder) == []  # an hour has not passed


class Slowly(L.Callback):
    """Slows a run down, so that it can be killed at a chosen step on a busy machine."""

    def on_train_batch_end(self, *_):
        time.sleep(0.05)


def _train_in_a_process(pack_folder, folder, steps, training, workers):
    # Loader workers must be children of this process, to end with it.
    multiprocessing.set_start_method("fork", force=True)
    train(
        PreparedDataset.open(pack_folder),
        folder,
        steps=steps,
        training=training,
        workers=workers,
        seconds_between_states=0,
        callbacks=[Slowly()],
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("training", "workers"),
    [(SRModule, 0), (SRModule, 2), (against_a_discriminator, 0)],
    ids=["pixels", "workers", "gan"],
)
def test_a_run_killed_at_random_moments_resumes_to_the_same_bits(
    dataset, tmp_path, training, workers
):
    """A run gets SIGKILL seven times; 21 times in the three cases together."""
    steps, kills = 80, 7
    whole = run_outputs(
        train(dataset, tmp_path / "whole", steps=steps, training=training), tmp_path / "whole"
    )
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["albumentations", "drnsr.training.trainer"])
    moment = random.Random(0)
    folder = tmp_path / "killed"
    reached = []
    while True:
        arguments = (dataset.folder, folder, steps, training, workers)
        process = processes.Process(target=_train_in_a_process, args=arguments)
        process.start()
        if len(reached) == kills:
            break
        wait_for_progress(folder, beyond=max(reached, default=0))
        time.sleep(moment.uniform(0, 0.15))
        process.kill()
        process.join()
        reached.append(newest_step(folder))
    process.join()
    assert process.exitcode == 0
    assert reached == sorted(reached)
    assert 0 < reached[0] < reached[-1] < steps
    again = train(dataset, folder, steps=steps, training=training)
    assert run_outputs(again, folder) == whole


def newest_step(folder: Path) -> int:
    return max((int(path.name[5:13]) for path in states(folder)), default=0)


def wait_for_progress(folder: Path, *, beyond: int) -> None:
    deadline = time.monotonic() + 60
    while newest_step(folder) <= beyond:
        assert time.monotonic() < deadline
        time.sleep(0.005)
