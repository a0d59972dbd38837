"""A short training on small pictures, which several tests run."""

from pathlib import Path

import torch
from torch import nn

from drnsr.data.module import CropData
from drnsr.data.packing import Pack
from drnsr.networks import DRNSR, Network
from drnsr.training.checkpoints import Checkpoints
from drnsr.training.curves import Curves
from drnsr.training.fit import fit, seed_everything
from drnsr.training.gan import GANTraining, LossWeights
from drnsr.training.module import PixelTraining
from drnsr.training.perceptual import PerceptualLoss
from drnsr.training.progress import TrainingProgress
from drnsr.training.schedules import warmup_cosine


def adam(parameters):
    return torch.optim.Adam(parameters, lr=5e-3)


def against_a_discriminator(network, **common):
    discriminator = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, bias=False),
        nn.BatchNorm2d(4),
        nn.LeakyReLU(0.2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 1),
    )
    return GANTraining(
        network,
        discriminator,
        perceptual=PerceptualLoss(nn.Conv2d(3, 5, 3)),
        weights=LossWeights(pixel=1.0, perceptual=1.0, adversarial=0.1),
        **common,
    )


def train(
    pack: Pack,
    folder: Path,
    *,
    training=PixelTraining,
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
    bad_losses="fail",
) -> Network:
    """Train in ``folder``, going on where an earlier call was ended; write the curves there."""
    seed_everything(seed, threads=2)
    module = training(
        architecture(scale=2, num_features=8, num_blocks=1),
        loss=nn.L1Loss(),
        optimizer=optimizer,
        scheduler=lambda optimizer: warmup_cosine(optimizer, warmup_steps=2, total_steps=steps),
        clipping=clipping,
        channels_last=True,
    )
    data = CropData(
        pack,
        scale=2,
        scales=[2],
        patch_size=12,
        batch_size=4,
        validation_crop=40,
        workers=workers,
        max_steps=steps,
        seed=seed,
    )
    curves = Curves(log_every=3)
    fit(
        module,
        data,
        checkpoints=Checkpoints(
            folder / "states", fingerprint=fingerprint, seconds=seconds_between_states, keep=2
        ),
        progress=TrainingProgress(),
        loggers=[],
        callbacks=[curves, *callbacks],
        max_steps=steps,
        validate_every=5,
        accelerator="cpu",
        precision="32-true",
        ema_decay=ema_decay,
        bad_losses=bad_losses,
        look_every=3,
    )
    curves.write(folder)
    return module.network


def made(network: Network, folder: Path) -> dict[str, bytes]:
    """All that a run made, to be compared bit for bit."""
    files = {name: (folder / name).read_bytes() for name in CURVES}
    weights = {name: value.numpy().tobytes() for name, value in network.state_dict().items()}
    return files | weights


CURVES = ("training_loss.csv", "validation_psnr.csv")
