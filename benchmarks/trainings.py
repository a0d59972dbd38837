"""A training as the stage `train` builds it, for the programs that measure one."""

import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from PIL import Image
from torch import nn

from drnsr.data.datamodule import SRDataModule
from drnsr.data.prepare import Part, prepare_training_set
from drnsr.data.prepared import PreparedDataset
from drnsr.networks import Network
from drnsr.tracking.outbox import Destination, Outbox
from drnsr.tracking.runs import describe_run
from drnsr.training.callbacks.checkpoint import TrainingStateCheckpoint
from drnsr.training.callbacks.curves import Curves
from drnsr.training.callbacks.progress import TrainingProgress
from drnsr.training.module import SRModule
from drnsr.training.schedules import warmup_cosine
from drnsr.training.trainer import fit, seed_everything

Optimizers = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


def begun(folder: Path, store: str) -> Outbox:
    """Begin the outbox of a run for a store."""
    config = {"model": {"name": "any"}, "data": {"name": "any"}, "scale": 2, "seed": 0}
    return Outbox.begin(
        folder, Destination(store, "benchmark"), describe_run(config, {}, "a benchmark")
    )


class Clock(Callback):
    """Records the end of each step, and the memory of the process at that time."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.memory: list[int] = []

    def on_train_batch_end(self, *arguments: Any) -> None:  # noqa: ANN401 (Lightning's own)
        """Record both."""
        self.seconds.append(time.perf_counter())
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        self.memory.append(pages * os.sysconf("SC_PAGE_SIZE"))

    def a_step(self) -> float:
        """Return the mean seconds of a step; the first two warm up."""
        return (self.seconds[-1] - self.seconds[1]) / (len(self.seconds) - 2)


def noise(folder: Path, side: int = 400, count: int = 4) -> PreparedDataset:
    """Prepare square images of noise; one in four is for validation."""
    random = np.random.default_rng(0)
    pictures = [folder / f"{number}.png" for number in range(count)]
    for picture in pictures:
        Image.fromarray(random.integers(0, 256, (side, side, 3), np.uint8)).save(picture)
    return prepare_training_set(
        [Part(pictures, 0.25)], folder / "dataset", name="noise", scales=[2]
    )


# Small steps, that noise does not throw off.
adam = partial(torch.optim.Adam, lr=1e-4)


def train(
    network: Network,
    dataset: PreparedDataset,
    folder: Path,
    *,
    steps: int,
    patch_size: int = 48,
    batch_size: int = 16,
    accelerator: str = "cpu",
    compiled: bool = False,
    deterministic: bool = True,
    precision: str = "32-true",
    optimizer: Optimizers = adam,
    loggers: Iterable[Logger] = (),
    callbacks: Iterable[Callback] = (),
    log_every: int = 20,
    seconds_between_states: float = 30,
    validate_every: int | None = None,
    clock: Clock | None = None,
) -> Clock:
    """Train a network at scale 2 with all callbacks, on two threads, and return the clock."""
    seed_everything(0, threads=2, deterministic=deterministic)
    module: L.LightningModule = SRModule(
        network,
        loss=torch.nn.L1Loss(),
        optimizer=optimizer,
        scheduler=lambda made: warmup_cosine(made, warmup_steps=1, total_steps=steps),
        clipping=None,
        channels_last=True,
        compiled=compiled,
    )
    data = SRDataModule(
        dataset,
        scale=2,
        scales=[2],
        patch_size=patch_size,
        batch_size=batch_size,
        validation_crop=48,
        workers=0,
        max_steps=steps,
        seed=0,
    )
    clock = clock or Clock()
    fit(
        module,
        data,
        SimpleNamespace(
            max_steps=steps,
            validate_every=validate_every or steps,
            log_every=log_every,
            accelerator=accelerator,
            devices=1,
            num_nodes=1,
            strategy="auto",
            accumulate_grad_batches=1,
            precision=precision,
            ema_decay=0.99,
            nonfinite_loss="fail",
            deterministic=deterministic,
            early_stopping=None,
        ),
        checkpoints=TrainingStateCheckpoint(
            folder / "states", fingerprint="", seconds=seconds_between_states, keep=1
        ),
        progress=TrainingProgress(),
        loggers=list(loggers),
        callbacks=[Curves(log_every=log_every), clock, *callbacks],
    )
    return clock
