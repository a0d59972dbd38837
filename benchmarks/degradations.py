"""Degraded crops per second, compared with what a training of the default network takes.

    python benchmarks/degradations.py MIRROR

Crops of 20 images of BSDS500 at scale 2, LR patch 48, batches of 16, through a DataLoader in the
process and with one and two loader processes. The default network trains on two threads, alone: on
a CPU both want the same cores, and a GPU leaves all of them to the loader.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from measuring import arguments, fetched, in_turn, show
from torch.utils.data import DataLoader
from trainings import noise, train

from drnsr.config.compose import load_option
from drnsr.data.crops import TrainingCrops
from drnsr.data.prepare import Part, prepare_training_set
from drnsr.data.prepared import PreparedDataset
from drnsr.degradation.parameters import Degradation
from drnsr.networks import DRNSR
from drnsr.training.precision import choose_precision

PATCH, BATCH, BATCHES, PICTURES = 48, 16, 30, 20
NAMES = ("realistic", "second_order")
PROCESSES = {0: "in the training process", 1: "1 loader process", 2: "2 loader processes"}


def read_all(dataset: PreparedDataset, name: str, workers: int) -> Callable[[], None]:
    """Return a call that goes through all batches; processes are started in it."""
    crops = TrainingCrops(
        dataset,
        patch_sizes={2: PATCH},
        batch_size=BATCH,
        num_samples=BATCH * BATCHES,
        seed=0,
        degradation=Degradation(**load_option("degradation", name)),
    )

    def run() -> None:
        numbers = range(BATCH * BATCHES)
        for _ in DataLoader(
            numbers,  # type: ignore[arg-type]
            batch_size=BATCH,
            collate_fn=crops.batch,
            num_workers=workers,
        ):
            pass

    return run


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("mirror", nargs="?", metavar="MIRROR")
    parsed = parser.parse_args()
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = prepare_training_set(
            [Part(fetched("bsds500_test", parsed.mirror, folder)[:PICTURES], 0.05)],
            folder / "dataset",
            name="photographs",
            scales=[2],
        )
        ways = {(d, w): read_all(dataset, d, w) for d in NAMES for w in PROCESSES}
        seconds = in_turn({f"{d} {w}": call for (d, w), call in ways.items()}, parsed.rounds)
        precision, _ = choose_precision("cpu")
        step = train(DRNSR(scale=2), noise(folder), folder, steps=30, precision=precision).a_step()
    rows = [
        {
            "degradation": degradation,
            "made": PROCESSES[workers],
            "crops/s": round(BATCH * BATCHES / seconds[f"{degradation} {workers}"]),
            "training takes crops/s": round(BATCH / step),
            "ratio": round(step * BATCHES / seconds[f"{degradation} {workers}"], 2),
        }
        for degradation, workers in ways
    ]
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
