"""A short training on small pictures, and callbacks and losses that disturb or record it."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import lightning as L
import torch
from torch import nn

from drnsr.data.datamodule import SRDataModule
from drnsr.data.prepared import PreparedDataset
from drnsr.degradation.parameters import Degradation
from drnsr.networks import DRNSR, Network
from drnsr.training.adversarial import RelativisticAverage
from drnsr.training.callbacks.checkpoint import TrainingStateCheckpoint
from drnsr.training.callbacks.curves import Curves
from drnsr.training.callbacks.progress import TrainingProgress
from drnsr.training.gan import GANModule
from drnsr.training.module import SRModule
from drnsr.training.perceptual import PerceptualLoss
from drnsr.training.schedules import warmup_cosine
from drnsr.training.trainer import fit, seed_everything


class EndedError(Exception):
    """Stands for whatever ends a process."""


class End(L.Callback):
    """Ends a run at one hook of one step."""

    def __init__(self, hook, step):
        def end(trainer, *_):
            if trainer.global_step == step:
                raise EndedError

        setattr(self, f"on_{hook}", end)


class NaNLoss(nn.L1Loss):
    """L1, but NaN with NaN gradients in one step."""

    def __init__(self, step):
        super().__init__()
        self.step, self.calls = step, 0

    def forward(self, sr, hr):
        self.calls += 1
        return super().forward(sr, hr) * (float("nan") if self.calls == self.step else 1)


class WeightsRecorder(L.Callback):
    """Keeps the weights and the optimizer's state after each step."""

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


def adam(parameters):
    return torch.optim.Adam(parameters, lr=5e-3)


class OneLayer(nn.Conv2d):
    """A network of features with one layer."""

    def forward(self, picture):
        return [super().forward(picture)]


def against_a_discriminator(network, **common):
    discriminator = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, bias=False),
        nn.BatchNorm2d(4),
        nn.LeakyReLU(0.2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 1),
    )
    return GANModule(
        network,
        discriminator,
        perceptual=PerceptualLoss(OneLayer(3, 5, 3), [1.0]),
        adversarial=RelativisticAverage(),
        pixel_weight=1.0,
        perceptual_weight=1.0,
        adversarial_weight=0.1,
        **common,
    )


def settings(**changed):
    """The group `trainer` of a short training on the CPU."""
    values = {
        "max_steps": 12,
        "validate_every": 5,
        "log_every": 3,
        "accelerator": "cpu",
        "devices": 1,
        "num_nodes": 1,
        "strategy": "auto",
        "accumulate_grad_batches": 1,
        "precision": "32-true",
        "ema_decay": 0.9,
        "nonfinite_loss": "fail",
        "deterministic": True,
        "early_stopping": None,
    }
    return SimpleNamespace(**values | changed)


def datamodule(
    dataset: PreparedDataset,
    *,
    max_steps: int,
    workers: int = 0,
    seed: int = 0,
    degradation: Degradation | None = None,
    accumulate: int = 1,
) -> SRDataModule:
    """Return crops of 12 x 12 LR pixels of a dataset, four in a batch."""
    return SRDataModule(
        dataset,
        scale=2,
        scales=[2],
        patch_size=12,
        batch_size=4,
        validation_crop=40,
        workers=workers,
        max_steps=max_steps,
        accumulate=accumulate,
        seed=seed,
        degradation=degradation,
    )


def train(
    dataset: PreparedDataset,
    folder: Path,
    *,
    training=SRModule,
    architecture=DRNSR,
    steps=12,
    seed=0,
    workers=0,
    optimizer=adam,
    clipping=None,
    ema_decay=0.9,
    callbacks=(),
    seconds_between_states=1e9,
    fingerprint="of this run",
    nonfinite_loss="fail",
    loss=None,
    scheduler=None,
    accumulate=1,
    before=None,
    early_stopping=None,
) -> Network:
    """Train in ``folder``, resuming an earlier call that was ended; write the curves there."""
    seed_everything(seed, threads=2)
    module = training(
        architecture(scale=2, num_features=8, num_blocks=1),
        loss=loss or nn.L1Loss(),
        optimizer=optimizer,
        scheduler=scheduler or partial(warmup_cosine, warmup_steps=2, total_steps=steps),
        clipping=clipping,
        channels_last=True,
    )
    data = datamodule(dataset, max_steps=steps, workers=workers, seed=seed, accumulate=accumulate)
    curves = Curves(log_every=3)
    fit(
        module,
        data,
        settings(
            max_steps=steps,
            ema_decay=ema_decay,
            nonfinite_loss=nonfinite_loss,
            accumulate_grad_batches=accumulate,
            early_stopping=early_stopping,
        ),
        checkpoints=TrainingStateCheckpoint(
            folder / "states",
            fingerprint=fingerprint,
            seconds=seconds_between_states,
            keep=2,
            before=before,
        ),
        progress=TrainingProgress(),
        loggers=[],
        callbacks=[curves, *callbacks],
    )
    curves.write(folder)
    return module.network


def run_outputs(network: Network, folder: Path) -> dict[str, bytes]:
    """Return the curves and weights of a run, to be compared bit for bit."""
    files = {name: (folder / name).read_bytes() for name in CURVES}
    weights = {name: value.numpy().tobytes() for name, value in network.state_dict().items()}
    return files | weights


CURVES = ("training_loss.csv", "validation_psnr.csv")
