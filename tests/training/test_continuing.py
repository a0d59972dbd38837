"""Trainings that go on from others: with another number of processes, or with more steps."""

import csv
import hashlib
import math
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, StepLR

from drnsr.locks import folder_lock
from drnsr.networks import DRNSR
from drnsr.tracking.training_states import list_state_folders
from drnsr.training.callbacks.checkpoint import mark_finished
from drnsr.training.callbacks.early_stopping import early_stopping
from drnsr.training.continuing import (
    ExtendError,
    Training,
    describe_computing,
    extend,
    find_progress,
    finished_with,
    take_over,
)
from drnsr.weights.fingerprint import fingerprint
from drnsr.weights.native import EarlierPart, Origin, save_model
from tests.training.runs import End, EndedError, run_outputs, train


def extended(dataset, folder, *, scheduler, longer):
    """Train six steps, and then on to twelve from the state after them."""
    train(dataset, folder / "short", steps=6, scheduler=scheduler, fingerprint="short")
    (state,) = (folder / "short/states").glob("last-*.ckpt")
    (folder / "long/states").mkdir(parents=True)
    take_over(state, folder / "long/states")
    before = EarlierPart("short", 6, "1 process of 2 threads", extended=True)
    network = train(dataset, folder / "long", scheduler=longer, fingerprint="long", before=before)
    return run_outputs(network, folder / "long")


def test_an_extended_training_has_the_bits_of_one_that_was_as_long_from_the_beginning(
    dataset, tmp_path
):
    steps = partial(StepLR, step_size=4, gamma=0.5)  # a schedule that no length changes
    whole = run_outputs(train(dataset, tmp_path / "w", scheduler=steps), tmp_path / "w")
    assert extended(dataset, tmp_path, scheduler=steps, longer=steps) == whole


def test_the_rate_of_an_extended_training_is_that_of_its_new_length(dataset, tmp_path):
    short, longer = (partial(CosineAnnealingLR, T_max=steps) for steps in (6, 12))
    extended(dataset, tmp_path, scheduler=short, longer=longer)
    with (tmp_path / "long/training_loss.csv").open() as file:
        rates = {int(row["step"]): float(row["learning_rate"]) for row in csv.DictReader(file)}
    cosine = {
        step: 5e-3 * (1 + math.cos(math.pi * step / total)) / 2
        for step, total in ((3, 6), (6, 6), (9, 12), (12, 12))
    }
    assert rates == pytest.approx(cosine, abs=1e-12)


def test_a_training_goes_on_with_another_number_of_batches_in_a_step(dataset, tmp_path):
    whole = train(dataset, tmp_path / "whole")
    for hook, step, accumulate in (("train_batch_end", 5, 2), ("train_batch_start", 8, 4)):
        with pytest.raises(EndedError):
            train(
                dataset,
                tmp_path / "parts",
                accumulate=accumulate,
                callbacks=[End(hook, step)],
                seconds_between_states=0,
            )
    network = train(dataset, tmp_path / "parts")
    for name, weights in whole.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], weights, rtol=0, atol=1e-5)
    curves = [(tmp_path / name / "validation_psnr.csv").read_text() for name in ("whole", "parts")]
    assert [line.split(",")[0] for line in curves[0].split()] == [
        line.split(",")[0] for line in curves[1].split()
    ]


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path


def training(*, data="pictures", features=4, **trainer):
    values = {
        "model.network": {"num_features": features},
        "optimizer": {"lr": 1e-3},
        "trainer": {
            "max_steps": 100,
            "devices": 1,
            "num_nodes": 1,
            "strategy": "auto",
            "accumulate_grad_batches": 1,
            "threads": 1,
            "compile": False,
        }
        | trainer,
    }
    computed = describe_computing(values["trainer"])
    origin = Origin(fingerprint(values), fingerprint(data), "code", computed=computed)
    return Training(origin, values)


def write_state(training, step, kind="step"):
    training.write()
    content = str(step).encode()
    name = f"{kind}-{step:08d}-{hashlib.sha256(content).hexdigest()[:16]}.ckpt"
    (training.folder / name).write_bytes(content)
    return training.folder / name


def test_the_progress_in_another_number_of_processes_is_found_and_told(project):
    one, two = training(), training(devices=2)
    assert find_progress(one) == (one, None)
    first = write_state(two, 10)
    assert find_progress(two) == (two, None)  # its own folder has it
    mixed, state = find_progress(one)
    assert state == first
    assert mixed.origin.fingerprint not in (one.origin.fingerprint, two.origin.fingerprint)
    part = EarlierPart(two.origin.fingerprint, 10, "2 processes of 1 thread", extended=False)
    assert mixed.origin.earlier == (part,)

    # Killed before its first state of its own, after it, and back in two processes.
    mixed.folder.mkdir()
    mixed.write()
    take_over(state, mixed.folder)
    assert find_progress(one) == (mixed, first)
    last = write_state(mixed, 20)
    assert find_progress(one) == (mixed, None)
    back, state = find_progress(two)
    assert state == last
    assert [each.steps for each in back.origin.earlier] == [10, 20]
    assert finished_with(back) == [back.folder, two.folder, mixed.folder]


def test_progress_that_is_not_of_this_training_is_left_alone(project):
    others = (
        training(devices=2, max_steps=200),
        training(devices=2, features=8),
        training(devices=2, data="other pictures"),
        training(devices=2, strategy="fsdp"),
        training(devices=2).after(training(max_steps=50), 50, extended=True),
        training(devices=4),
        training(devices=8),
    )
    for other in others:
        write_state(other, 60)
    (others[0].folder.with_name("0123456789abcdef")).mkdir()  # of an earlier version
    mark_finished(others[-2].folder)
    with folder_lock(others[-1].folder):  # it is running
        assert find_progress(training()) == (training(), None)


def test_a_training_that_cannot_be_extended_is_refused(project):
    old, longer = training(), training(max_steps=200, devices=2)
    name = f"runs/{old.folder.name}"
    for source in (name, "nothing.safetensors"):
        with pytest.raises(ExtendError, match=r"extend: .* not here"):
            extend(longer, source)
    write_state(old, 40)
    with pytest.raises(ExtendError, match=r"not finished; its own command goes on after step 40"):
        extend(longer, name)
    last = write_state(old, 100, kind="last")
    extension, state = extend(longer, name)
    assert state == last
    part = EarlierPart(old.origin.fingerprint, 100, "1 process of 1 thread", extended=True)
    assert extension.origin.earlier == (part,)
    extension.folder.mkdir()
    extension.write()
    mark_finished(old.folder)
    assert not any(folder.removable for folder in list_state_folders(unfinished=False))
    mark_finished(extension.folder)
    assert all(folder.removable for folder in list_state_folders(unfinished=False))
    with pytest.raises(ExtendError, match=r"trainer.max_steps: 100 is not more than the 100 steps"):
        extend(old, name)
    with pytest.raises(ExtendError, match=r"model.network.num_features: 4, and now it is 8"):
        extend(training(max_steps=200, features=8), name)
    impatient = {"early_stopping": {"patience": 2, "min_delta": 0.0}}
    with pytest.raises(ExtendError, match=r"early_stopping.min_delta: None, and now it is 0.0"):
        extend(training(max_steps=200, **impatient), name)
    stopped = training(max_steps=150, **impatient)
    state = write_state(stopped, 100, kind="last")
    stopping = early_stopping(SimpleNamespace(patience=2, min_delta=0.0))
    stopping.wait_count = 2
    torch.save({"callbacks": {stopping.state_key: stopping.state_dict()}}, state)
    with pytest.raises(ExtendError, match=r"stopped early after step 100, .*=null goes on"):
        extend(training(max_steps=200, **impatient), str(stopped.folder))
    assert extend(training(max_steps=120), str(stopped.folder))[1] == state
    with pytest.raises(ExtendError, match="other pictures"):
        extend(training(max_steps=200, data="others"), name)
    foreign = project / "converted.safetensors"
    save_model(foreign, DRNSR(scale=2, num_features=4, num_blocks=1), Origin(made_from="x.pth"))
    with pytest.raises(ExtendError, match="drnsr did not train this model"):
        extend(longer, str(foreign))
