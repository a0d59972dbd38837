"""What becomes of a run whose loss explodes."""

import logging

import lightning as L
import pytest
import torch
from torch import nn

from drnsr.training.callbacks.nonfinite import NonfiniteLossError
from drnsr.training.module import SRModule
from tests.training.runs import against_a_discriminator, made, train


def diverging(parameters):
    return torch.optim.SGD(parameters, lr=1e12)


both = pytest.mark.parametrize("training", [SRModule, against_a_discriminator])


@both
def test_a_loss_that_is_no_number_names_the_step_and_its_samples(dataset, tmp_path, training):
    with pytest.raises(NonfiniteLossError, match=r"the loss of step (\d+) is (nan|inf)") as caught:
        train(dataset, tmp_path, training=training, optimizer=diverging, steps=40)
    step = int(str(caught.value).split("step ")[1].split()[0])
    assert f"(samples {4 * (step - 1)} to {4 * step - 1})" in str(caught.value)


class NotANumber(nn.Module):
    """A loss with gradients, all of them no numbers."""

    def forward(self, sr, hr):
        return (sr - hr).mean() * float("nan")


class Spoil(L.Callback):
    """Makes the loss of one step no number."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.loss = pl_module._loss
        if trainer.global_step + 1 == self.step:
            pl_module._loss = NotANumber()

    def on_train_batch_end(self, trainer, pl_module, *_):
        pl_module._loss = self.loss


class Watch(L.Callback):
    """Keeps the weights and the optimizers' states after each step."""

    def __init__(self):
        self.after = {}

    def on_train_batch_end(self, trainer, pl_module, *_):
        weights = [p.detach().clone() for p in pl_module.network.parameters()]
        moments = [
            value.clone()
            for state in trainer.optimizers[0].state.values()
            for value in state.values()
        ]
        self.after[trainer.global_step] = weights + moments


@both
def test_a_bad_loss_can_be_skipped_named_and_counted(dataset, tmp_path, training, caplog):
    watch = Watch()
    with caplog.at_level(logging.WARNING, "drnsr"):
        train(
            *(dataset, tmp_path),
            training=training,
            callbacks=[Spoil(4), watch],
            nonfinite_loss="skip",
            seconds_between_states=0,
        )
    assert "the loss of step 4 is nan (samples 12 to 15): skipped" in caplog.text
    assert sorted(watch.after) == list(range(1, 13))
    same = [torch.equal(a, b) for a, b in zip(watch.after[3], watch.after[4], strict=True)]
    assert all(same)
    assert not torch.equal(watch.after[4][0], watch.after[5][0])
    assert "nan" not in (tmp_path / "training_loss.csv").read_text()


def test_a_run_without_a_bad_loss_is_the_same_run_either_way(dataset, tmp_path):
    runs = [
        made(train(dataset, tmp_path / choice, nonfinite_loss=choice), tmp_path / choice)
        for choice in ("fail", "skip")
    ]
    assert runs[0] == runs[1]


def test_weights_that_are_no_numbers_are_not_skipped_and_not_kept(dataset, tmp_path):
    with pytest.raises(NonfiniteLossError, match="for weights are infinite or no numbers"):
        train(
            *(dataset, tmp_path),
            optimizer=lambda parameters: torch.optim.SGD(parameters, lr=float("inf")),
            nonfinite_loss="skip",
            seconds_between_states=0,
        )
    assert not list((tmp_path / "states").glob("step-*"))
