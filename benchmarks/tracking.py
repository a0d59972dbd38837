"""What a tracking store that is in trouble costs a training: seconds a step, as a ratio.

    python benchmarks/tracking.py [ROUNDS]

The default network trains on pictures of noise, its loss logged at every step: untracked; into a
SQLite file; with that file locked; with a server that is away; and with one that takes requests and
never answers. Each in turn, ROUNDS times (3). Prints a table of the medians, and a line of JSON.
"""

import json
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from drnsr.data.module import CropData
from drnsr.data.packing import Pack
from drnsr.data.preparation import pack_training_set
from drnsr.networks import DRNSR
from drnsr.tracking.delivery import deliver, delivering
from drnsr.tracking.journal import Destination, Journal
from drnsr.tracking.logger import CurveLogger
from drnsr.tracking.runs import describe_run
from drnsr.training.checkpoints import Checkpoints
from drnsr.training.fit import fit, seed_everything
from drnsr.training.module import PixelTraining
from drnsr.training.progress import TrainingProgress
from drnsr.training.schedules import warmup_cosine

STEPS = 60
CONFIG = {"model": {"name": "drnsr"}, "data": {"name": "noise"}, "scale": 2, "seed": 0}


def noise(folder: Path) -> Pack:
    """Four pictures of 400 x 400 pixels."""
    random = np.random.default_rng(0)
    pictures = [folder / f"{number}.png" for number in range(4)]
    for picture in pictures:
        Image.fromarray(random.integers(0, 256, (400, 400, 3), np.uint8)).save(picture)
    return pack_training_set(
        pictures, folder / "pack", name="noise", scales=[2], validation_fraction=0.25
    )


def train(pack: Pack, folder: Path, uri: str | None) -> float:
    """Seconds for each step, without what comes before the first and after the last."""
    seed_everything(0, threads=2)
    module = PixelTraining(
        DRNSR(scale=2),
        loss=torch.nn.L1Loss(),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
        scheduler=lambda optimizer: warmup_cosine(optimizer, warmup_steps=1, total_steps=STEPS),
        clipping=None,
        channels_last=True,
    )
    data = CropData(
        pack,
        scale=2,
        scales=[2],
        patch_size=48,
        batch_size=16,
        validation_crop=48,
        workers=0,
        max_steps=STEPS,
        seed=0,
    )
    progress = TrainingProgress()
    with ExitStack() as stack:
        loggers = []
        if uri is not None:
            run = describe_run(CONFIG, {}, "a benchmark")
            journal = Journal.begin(folder, Destination(uri, "benchmark"), run)
            stack.enter_context(delivering(journal))
            loggers = [CurveLogger(journal)]
        fit(
            module,
            data,
            checkpoints=Checkpoints(folder / "states", fingerprint="", seconds=1e9, keep=1),
            progress=progress,
            loggers=loggers,
            callbacks=[],
            max_steps=STEPS,
            validate_every=STEPS,
            accelerator="cpu",
            precision="32-true",
            ema_decay=0.99,
            bad_losses="fail",
        )
        return progress.seconds / STEPS


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Keep every other process out of a SQLite file."""
    connection = sqlite3.connect(database)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.rollback()


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as silent:
        folder = Path(name)
        pack = noise(folder)
        store = f"sqlite:///{folder / 'mlflow.db'}"
        deliver(
            Journal.begin(folder, Destination(store, "benchmark"), describe_run(CONFIG, {}, ""))
        )
        cases: dict[str, Callable[[Path], float]] = {
            "untracked": lambda place: train(pack, place, None),
            "SQLite file": lambda place: train(pack, place, store),
            "server away": lambda place: train(pack, place, "http://127.0.0.1:9"),
            "server silent": lambda place: train(
                pack, place, f"http://127.0.0.1:{silent.getsockname()[1]}"
            ),
        }
        for number in range(rounds):
            for case, measure in cases.items():
                taken = measure(folder / f"{case}{number}")
                seconds.setdefault(case, []).append(taken)
            with locked(folder / "mlflow.db"):
                taken = train(pack, folder / f"locked{number}", store)
            seconds.setdefault("SQLite file, locked", []).append(taken)
    medians = {case: median(taken) for case, taken in seconds.items()}
    table = Table("tracking store", "ms a step", "over untracked")
    for case, taken in medians.items():
        table.add_row(case, f"{1000 * taken:.1f}", f"{taken / medians['untracked']:.3f}")
    Console().print(table)
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
