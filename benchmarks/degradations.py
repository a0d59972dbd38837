"""Degraded crops per second, compared with what a training of the default network takes.

    python benchmarks/degradations.py MIRROR

Crops of 20 images of BSDS500 at scale 2, LR patch 48, batches of 16, through a DataLoader in the
process and with one and two loader processes. The default network trains on two threads, alone: on
a CPU both want the same cores, and a GPU leaves all of them to the loader. The processor time of a
crop does not depend on what else runs there, the crops per second do.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from lightning import Callback
from measuring import arguments, fetched, show
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


class Processor(Callback):
    """Records the processor time of the process at the end of each step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_end(self, *_: object) -> None:
        """Record it."""
        self.seconds.append(time.process_time())

    def a_step(self) -> float:
        """Return the mean of a step; the first two warm up."""
        return (self.seconds[-1] - self.seconds[1]) / (len(self.seconds) - 2)


def processor_seconds() -> float:
    """Return those of this process and of its ended loader processes."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measured(call: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds of a call, and its processor seconds."""
    start, before = time.perf_counter(), processor_seconds()
    call()
    return time.perf_counter() - start, processor_seconds() - before


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
        found = {way: [measured(call)] for way, call in ways.items()}
        for _ in range(parsed.rounds - 1):
            for way, call in ways.items():
                found[way].append(measured(call))
        precision, _ = choose_precision("cpu")
        processor = Processor()
        made = train(
            *(DRNSR(scale=2), noise(folder), folder),
            steps=30,
            precision=precision,
            callbacks=[processor],
        )
    step, step_processor = made.a_step(), processor.a_step()
    rows = [row("training", "on two threads", step / BATCH, step_processor / BATCH)]
    for (degradation, workers), each in found.items():
        seconds, of_processor = (
            min(values) / BATCH / BATCHES for values in zip(*each, strict=True)
        )
        rows.append(row(degradation, PROCESSES[workers], seconds, of_processor))
    show(rows, parsed.json)


def row(what: str, where: str, seconds: float, processor: float) -> dict[str, object]:
    """Return a row of the table; the times are those of a crop."""
    return {
        "crops of": what,
        "made or taken": where,
        "crops/s": round(1 / seconds),
        "processor ms a crop": round(1000 * processor, 2),
    }


if __name__ == "__main__":
    main()
