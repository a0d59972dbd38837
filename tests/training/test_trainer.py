"""A short training: reproducibility, curves, averaging and clipping."""

import csv
from functools import partial

import lightning as L
import numpy as np
import pytest
import torch

from drnsr.networks import DRNSR, EDSR
from drnsr.training.clipping import clip_adjustably
from tests.training.runs import train


def weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("architecture", [DRNSR, EDSR])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(dataset, tmp_path, architecture):
    first = weights(train(dataset, tmp_path / "a", architecture=architecture))
    again = weights(train(dataset, tmp_path / "b", architecture=architecture, workers=2))
    other = weights(train(dataset, tmp_path / "c", architecture=architecture, seed=1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    for name in ("training_loss.csv", "validation_psnr.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_curves(dataset, tmp_path):
    train(dataset, tmp_path)
    with (tmp_path / "training_loss.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["3", "6", "9", "12"]
    with (tmp_path / "validation_psnr.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["5", "10"]


def test_training_reduces_the_error(dataset, tmp_path):
    network = train(dataset, tmp_path, steps=50)
    lr, hr = (tensor[None].float() / 255 for tensor in _validation(dataset)[0])
    with torch.no_grad():
        trained = torch.nn.functional.mse_loss(network(lr), hr)
        untrained = torch.nn.functional.mse_loss(DRNSR(scale=2, num_blocks=1)(lr), hr)
    assert trained < 0.9 * untrained


def _validation(dataset):
    from drnsr.data.crops import ValidationCrops

    return ValidationCrops(dataset, scale=2, crop_size=40)


class Recorder(L.Callback):
    """Keeps the trained weights after each step."""

    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.seen.append(pl_module.network.head.weight.detach().double().numpy().copy())


def test_the_saved_weights_follow_the_formula_of_the_average(dataset, tmp_path):
    recorder = Recorder()
    network = train(dataset, tmp_path, callbacks=[recorder])
    average = recorder.seen[0]
    for n, new in enumerate(recorder.seen[1:], start=1):
        decay = min(0.9, (1 + n) / (10 + n))
        average = decay * average + (1 - decay) * new
    kept = network.head.weight.detach().numpy()
    np.testing.assert_allclose(kept, average, atol=1e-6)
    assert np.abs(kept - recorder.seen[-1]).max() > 1e-5


def test_without_averaging_the_last_weights_are_kept(dataset, tmp_path):
    recorder = Recorder()
    network = train(dataset, tmp_path, ema_decay=0, callbacks=[recorder])
    assert np.array_equal(network.head.weight.detach().double().numpy(), recorder.seen[-1])


def test_clipping_limits_every_step(dataset, tmp_path):
    def farthest_step(clipping):
        recorder = Recorder()
        train(
            dataset,
            tmp_path,
            architecture=EDSR,
            optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.01),
            clipping=clipping,
            ema_decay=0,
            callbacks=[recorder],
        )
        return np.abs(np.diff(recorder.seen, axis=0)).max()

    theta = 1e-5
    assert farthest_step(None) > 2 * theta
    clipped = farthest_step(partial(clip_adjustably, theta=theta))
    assert clipped == pytest.approx(theta, rel=1e-3)  # the limit is met, and never passed
