"""Runs whose loss becomes NaN or infinite."""

import logging

import pytest
import torch

from drnsr.training.callbacks.nonfinite import NonfiniteLossError
from drnsr.training.module import SRModule
from tests.training.runs import (
    NaNLoss,
    WeightsRecorder,
    against_a_discriminator,
    run_outputs,
    train,
)


def diverging(parameters):
    return torch.optim.SGD(parameters, lr=1e12)


both = pytest.mark.parametrize("training", [SRModule, against_a_discriminator])


@both
def test_a_nonfinite_loss_names_the_step_and_its_samples(dataset, tmp_path, training):
    with pytest.raises(NonfiniteLossError, match=r"the loss of step (\d+) is (nan|inf)") as caught:
        train(dataset, tmp_path, training=training, optimizer=diverging, steps=40)
    step = int(str(caught.value).split("step ")[1].split()[0])
    assert f"(samples {4 * (step - 1)} to {4 * step - 1})" in str(caught.value)


@both
def test_a_nan_loss_can_be_skipped_and_is_logged(dataset, tmp_path, training, caplog):
    recorder = WeightsRecorder()
    with caplog.at_level(logging.WARNING, "drnsr"):
        train(
            *(dataset, tmp_path),
            training=training,
            loss=NaNLoss(4),
            callbacks=[recorder],
            nonfinite_loss="skip",
            seconds_between_states=0,
        )
    assert "the loss of step 4 is nan (samples 12 to 15): skipped" in caplog.text
    assert sorted(recorder.after) == list(range(1, 13))
    same = [torch.equal(a, b) for a, b in zip(recorder.after[3], recorder.after[4], strict=True)]
    assert all(same)
    assert not torch.equal(recorder.after[4][0], recorder.after[5][0])
    assert "nan" not in (tmp_path / "training_loss.csv").read_text()


def test_a_run_without_nonfinite_loss_is_the_same_with_both_choices(dataset, tmp_path):
    runs = [
        run_outputs(train(dataset, tmp_path / choice, nonfinite_loss=choice), tmp_path / choice)
        for choice in ("fail", "skip")
    ]
    assert runs[0] == runs[1]


def test_nonfinite_weights_are_neither_skipped_nor_saved(dataset, tmp_path):
    with pytest.raises(NonfiniteLossError, match="because weights are NaN or infinite"):
        train(
            *(dataset, tmp_path),
            optimizer=lambda parameters: torch.optim.SGD(parameters, lr=float("inf")),
            nonfinite_loss="skip",
            seconds_between_states=0,
        )
    assert not list((tmp_path / "states").glob("step-*"))
