"""Training against a discriminator: its losses by hand, its steps in plain torch, its resume."""

import copy
import csv
import math
from functools import partial

import lightning as L
import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from numpy.testing import assert_allclose
from torch import nn
from torch.utils.data import DataLoader, Sampler, TensorDataset

from drnsr.networks import DRNSR, UNetDiscriminator
from drnsr.training.adversarial import (
    RelativisticAverage,
    Vanilla,
    relativistic_average_loss,
)
from drnsr.training.callbacks.checkpoint import TrainingStateCheckpoint
from drnsr.training.callbacks.curves import Curves
from drnsr.training.callbacks.ema import EMA
from drnsr.training.callbacks.progress import TrainingProgress
from drnsr.training.gan import GANModule
from drnsr.training.perceptual import PerceptualLoss
from drnsr.training.trainer import fit, seed_everything
from tests.training.runs import OneLayer, datamodule, settings

WEIGHTS = {"pixel_weight": 0.3, "perceptual_weight": 2.0, "adversarial_weight": 0.7}
LR, DECAY_AFTER = 3e-3, 2


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_the_relativistic_average_loss_by_hand():
    real, fake = [3.0, 1.0, -0.5], [0.5, -2.0]
    # Equations 1 and 2 of Wang et al. 2018, each halved as in the authors' code.
    mean_real, mean_fake = 3.5 / 3, -0.75
    real_seems_real = [sigmoid(value - mean_fake) for value in real]
    fake_seems_real = [sigmoid(value - mean_real) for value in fake]
    of_discriminator = (
        -sum(math.log(p) for p in real_seems_real) / 3
        - sum(math.log(1 - p) for p in fake_seems_real) / 2
    )
    of_generator = (
        -sum(math.log(1 - p) for p in real_seems_real) / 3
        - sum(math.log(p) for p in fake_seems_real) / 2
    )
    real, fake = torch.tensor(real), torch.tensor(fake)
    for constant in (False, True):
        loss = relativistic_average_loss(real, fake, constant_averages=constant)
        assert loss.item() == pytest.approx(of_discriminator / 2)
    assert relativistic_average_loss(fake, real).item() == pytest.approx(of_generator / 2)


def test_constant_averages_give_no_gradient():
    real = torch.tensor([3.0, 1.0, -0.5], requires_grad=True)
    fake = torch.tensor([0.5, -2.0], requires_grad=True)
    relativistic_average_loss(real, fake, constant_averages=True).backward()
    # Half of the mean of softplus(c - x) has the derivative -sigmoid(c - x) / 2n.
    of_real = [-sigmoid(-0.75 - value) / 6 for value in (3.0, 1.0, -0.5)]
    of_fake = [sigmoid(value - 3.5 / 3) / 4 for value in (0.5, -2.0)]
    assert real.grad.tolist() == pytest.approx(of_real)
    assert fake.grad.tolist() == pytest.approx(of_fake)


def test_the_vanilla_loss_is_the_cross_entropy_of_each_picture():
    # Goodfellow et al. 2014, with the network's loss -log D that they advise.
    logits = {"real": [3.0, 1.0, -0.5], "made": [0.5, -2.0, 0.0]}
    loss, sr, hr = Vanilla(), "made", "real"

    def judge(pictures):
        return torch.tensor(logits[pictures])

    of_network = -sum(math.log(sigmoid(value)) for value in logits["made"]) / 3
    assert loss.of_network(judge, sr, hr).item() == pytest.approx(of_network)
    of_real = -sum(math.log(sigmoid(value)) for value in logits["real"]) / 3
    of_made = -sum(math.log(1 - sigmoid(value)) for value in logits["made"]) / 3
    assert loss.of_discriminator(judge, sr, hr).item() == pytest.approx(of_real + of_made)


def test_equal_logits_give_a_loss_of_log_2_and_large_ones_a_finite_loss():
    same = torch.full((4, 1), 5.0)
    assert relativistic_average_loss(same, same).item() == pytest.approx(math.log(2))
    assert relativistic_average_loss(-1000 * same, same).item() == pytest.approx(5005, rel=1e-6)


def tiny_discriminator():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, bias=False),  # as is right before a norm
        nn.BatchNorm2d(4),
        nn.LeakyReLU(0.2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 1, bias=False),  # the losses know differences alone
    )


def networks(make_discriminator=tiny_discriminator):
    torch.manual_seed(0)
    network, discriminator = DRNSR(scale=2, num_features=4, num_blocks=1), make_discriminator()
    nn.init.normal_(network.tail.weight, std=0.05)
    return network, discriminator, OneLayer(3, 5, 3)


def make_module(network, discriminator, features, weights=WEIGHTS, clipping=None, adversarial=None):
    return GANModule(
        network,
        discriminator,
        loss=nn.L1Loss(),
        perceptual=None if features is None else PerceptualLoss(features, [1.0]),
        adversarial=adversarial or RelativisticAverage(),
        **weights,
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=LR),
        scheduler=lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, DECAY_AFTER, 0.5),
        clipping=clipping,
        channels_last=True,
    )


def batches(steps, size=2, side=6):
    random = torch.Generator().manual_seed(1)
    lr = torch.randint(0, 256, (steps * size, 3, side, side), generator=random, dtype=torch.uint8)
    hr = torch.randint(
        0, 256, (steps * size, 3, 2 * side, 2 * side), generator=random, dtype=torch.uint8
    )
    return TensorDataset(lr, hr)


def make_trainer(steps, *callbacks):
    return L.Trainer(
        accelerator="cpu",
        max_steps=steps,
        max_epochs=1,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=any(isinstance(c, ModelCheckpoint) for c in callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def in_plain_torch(network, discriminator, features, data, steps):
    """Train alike without Lightning and without our losses, and return the losses of each step."""
    losses = []
    optimizers = [
        torch.optim.Adam(module.parameters(), lr=LR) for module in (network, discriminator)
    ]
    log_likelihood = F.binary_cross_entropy_with_logits
    for step in range(steps):
        lr, hr = (pixels.float() / 255 for pixels in data[2 * step : 2 * step + 2])
        sr = network(lr)
        fake, real = discriminator(sr), discriminator(hr)
        adversarial = log_likelihood(real - fake.mean(), torch.zeros(2, 1))
        adversarial = adversarial + log_likelihood(fake - real.mean(), torch.ones(2, 1))
        pixel, perceptual = (
            (part(sr) - part(hr)).abs().mean() for part in (lambda x: x, lambda x: features(x)[0])
        )
        loss = 0.3 * pixel + 0.7 * adversarial / 2 + 2.0 * perceptual
        rate = LR * 0.5 ** (step // DECAY_AFTER)
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = rate
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            parameter.grad = gradient
        optimizers[0].step()
        real, fake = discriminator(hr), discriminator(sr.detach())
        # As the authors' code: two halves, each with the other average as a number.
        optimizers[1].zero_grad()
        seems_real = log_likelihood(real - fake.mean().item(), torch.ones(2, 1)) / 2
        seems_made = log_likelihood(fake - real.mean().item(), torch.zeros(2, 1)) / 2
        seems_real.backward()
        seems_made.backward()
        optimizers[1].step()
        of_step = (loss, pixel, perceptual, adversarial / 2, seems_real + seems_made)
        losses.append([float(each) for each in of_step])
    return losses


class Losses(L.Callback):
    """Keeps the losses of each step."""

    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, pl_module, outputs, *_):
        names = ["loss", *(term.name for term in pl_module.loss_terms)]
        self.seen.append([float(outputs[name]) for name in names])


def test_steps_are_those_of_plain_torch_and_count_once():
    network, discriminator, features = networks()
    plain = copy.deepcopy((network, discriminator, features))
    before = copy.deepcopy((network, discriminator, features))
    data, steps = batches(5), 5
    losses = Losses()
    trainer = make_trainer(steps, losses)
    module = make_module(network, discriminator, features)
    trainer.fit(module, DataLoader(data, batch_size=2))
    assert trainer.global_step == steps
    assert_allclose(losses.seen, in_plain_torch(*plain, data, steps), atol=1e-5)
    for trained, wanted in zip((network, discriminator), plain, strict=False):
        for name, value in wanted.state_dict().items():
            assert_allclose(trained.state_dict()[name], value, atol=2e-6, err_msg=name)
    for trained, old in zip((network, discriminator), before, strict=False):
        assert not torch.equal(next(trained.parameters()), next(old.parameters()))
    assert torch.equal(features.weight, before[2].weight)


def test_the_discriminator_gives_the_network_no_gradients():
    network, discriminator, _ = networks()
    before = copy.deepcopy(network.state_dict()), copy.deepcopy(discriminator.state_dict())
    only_adversarial_of_nothing = dict.fromkeys(WEIGHTS, 0.0)
    module = make_module(network, discriminator, None, only_adversarial_of_nothing)
    make_trainer(2).fit(module, DataLoader(batches(2), batch_size=2))
    # No loss changes the network, while the discriminator learns.
    assert all(torch.equal(network.state_dict()[name], before[0][name]) for name in before[0])
    assert not torch.equal(discriminator[0].weight, before[1]["0.weight"])


def test_the_gradients_of_both_are_clipped_before_their_steps():
    network, discriminator, features = networks()
    before = copy.deepcopy((network, discriminator))
    clipped = []

    def no_gradients(optimizer):
        parameters = optimizer.param_groups[0]["params"]
        clipped.append(parameters[0].shape)
        assert any(parameter.grad.abs().sum() > 0 for parameter in parameters)
        for parameter in parameters:
            parameter.grad.zero_()

    module = make_module(network, discriminator, features, clipping=no_gradients)
    make_trainer(2).fit(module, DataLoader(batches(2), batch_size=2))
    assert clipped == 2 * [network.head.weight.shape, discriminator[0].weight.shape]
    for trained, old in zip((network, discriminator), before, strict=True):
        for parameter, unchanged in zip(trained.parameters(), old.parameters(), strict=True):
            assert torch.equal(parameter, unchanged)


class Remaining(Sampler):
    """Yields the samples that are left to train on."""

    def __init__(self, module, count, batch_size):
        self.module, self.count, self.batch_size = module, count, batch_size

    def __iter__(self):
        progress = self.module.trainer.fit_loop.epoch_loop.batch_progress.total
        yield from range(progress.processed * self.batch_size, self.count)

    def __len__(self):
        return self.count


def run_and_save(folder, steps, against, resume_from=None):
    seed_everything(0, threads=2)
    make_discriminator, adversarial = against
    module = make_module(*networks(make_discriminator), adversarial=adversarial())
    data = batches(steps, side=8)
    loader = DataLoader(data, batch_size=2, sampler=Remaining(module, len(data), 2))
    saving = ModelCheckpoint(
        dirpath=folder, filename="{step}", every_n_train_steps=3, save_top_k=-1
    )
    make_trainer(steps, EMA(0.9), saving).fit(module, loader, ckpt_path=resume_from)


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


AGAINST = {
    "ESRGAN": (tiny_discriminator, RelativisticAverage),
    # Its spectral norms change their buffers in each forward pass.
    "Real-ESRGAN": (partial(UNetDiscriminator, num_features=2), Vanilla),
}


@pytest.mark.parametrize("against", AGAINST.values(), ids=AGAINST)
def test_resume_restores_both_networks_optimizers_schedules_and_the_average(tmp_path, against):
    run_and_save(tmp_path / "straight", 6, against)
    run_and_save(tmp_path / "resumed", 6, against, tmp_path / "straight" / "step=3.ckpt")
    assert [path.name for path in (tmp_path / "resumed").iterdir()] == ["step=6.ckpt"]
    straight, resumed, half = (
        torch.load(tmp_path / name, weights_only=False)
        for name in ("straight/step=6.ckpt", "resumed/step=6.ckpt", "straight/step=3.ckpt")
    )
    state = {
        *("state_dict", "current_model_state", "averaging_state"),
        *("optimizer_states", "lr_schedulers", "global_step"),
    }
    for key in state:
        assert same(straight[key], resumed[key]), key
        assert not same(straight[key], half[key]), key
    names = straight["current_model_state"]
    assert {name.split(".")[0] for name in names} == {"network", "discriminator"}
    for name in names:  # the vectors of the spectral norms are there, and were at work
        if name.endswith(("._u", "._v")):
            assert not torch.equal(names[name], half["current_model_state"][name])
    assert len(straight["optimizer_states"]) == len(straight["lr_schedulers"]) == 2
    assert not same(straight["state_dict"], straight["current_model_state"])


class Recorder(L.Callback):
    """Keeps the trained weights after each step."""

    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.seen.append(pl_module.network.head.weight.detach().clone())


def test_a_gan_run_counts_steps_like_a_run_without_discriminator(dataset, tmp_path):
    seed_everything(0, threads=2)
    network, discriminator, features = networks()
    data = datamodule(dataset, max_steps=12)
    module, losses, recorder = make_module(network, discriminator, features), Losses(), Recorder()
    curves = Curves(log_every=3, terms=module.loss_terms)
    fit(
        module,
        data,
        settings(),
        checkpoints=TrainingStateCheckpoint(
            tmp_path / "states", fingerprint="", seconds=1e9, keep=1
        ),
        progress=TrainingProgress(),
        loggers=[],
        callbacks=[curves, losses, recorder],
    )
    curves.write(tmp_path)
    with (tmp_path / "training_loss.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["3", "6", "9", "12"]
    names = ("loss", "pixel", "perceptual", "adversarial", "discriminator")
    means = torch.tensor(losses.seen).reshape(4, 3, len(names)).mean(dim=1)
    assert_allclose([[float(row[name]) for name in names] for row in rows], means, rtol=1e-5)
    with (tmp_path / "validation_psnr.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["5", "10"]
    assert len(recorder.seen) == 12
    average = recorder.seen[0]
    for n, new in enumerate(recorder.seen[1:], start=1):
        average = average.lerp(new, 1 - min(0.9, (1 + n) / (10 + n)))
    assert_allclose(network.head.weight.detach(), average, atol=1e-6)
