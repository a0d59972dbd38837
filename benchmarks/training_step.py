"""A training step of EDSR-baseline at scale 2 (batch 16, LR patch 48): its time and GFLOP/s.

    python benchmarks/training_step.py MIRROR

These run in turn, in one process on two threads: a plain PyTorch loop as in the well-known trainers
(fp32, contiguous, both PNG files decoded for each sample); ours (bf16 and channels-last, crops from
a dataset); and the steps of both without their data. Then ours runs under Lightning with its data,
all callbacks, curves and an MLflow store: each of its steps is followed by one without Lightning
and data, and the ratio is the median over such pairs, so that other work on the machine affects
both. A matrix product and a convolution of 64 channels show the best speed of the machine. The
operations of a step are three times those of the forward pass, and a multiply-add counts as two.
The images are 20 of BSDS500.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from data_path import Decoding, pictures
from lightning.pytorch.callbacks import Callback
from measuring import arguments, in_turn, show
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode
from trainings import adam, begun, noise, train

from drnsr.data.crops import Pair, TrainingCrops
from drnsr.data.prepared import PreparedDataset
from drnsr.networks import EDSR
from drnsr.tracking.delivery import deliver, delivering
from drnsr.tracking.logger import CurveLogger
from drnsr.training.precision import choose_precision
from drnsr.training.trainer import seed_everything

BATCH, PATCH, CHANNELS, SIDE = 16, 48, 64, 2048
STEPS = 4  # measured at a time


class Turns(Callback):
    """Runs a bare step after each of Lightning's, and times both; the first two warm up."""

    def __init__(self, own: Callable[[], None]) -> None:
        self._own = own
        self._start: float | None = None
        self._pairs: list[tuple[float, float]] = []

    def on_train_batch_end(self, *arguments: Any) -> None:  # noqa: ANN401 (Lightning's own)
        """Record both times."""
        lightning_end = time.perf_counter()
        self._own()
        own_end = time.perf_counter()
        if self._start is not None:
            self._pairs.append((lightning_end - self._start, own_end - lightning_end))
        self._start = own_end

    def seconds(self) -> float:
        """Return the time of Lightning's fastest step."""
        return min(lightning for lightning, _ in self._pairs[2:])

    def ratio(self) -> float:
        """Return the speed of Lightning's steps over that of the bare ones."""
        return median(own / lightning for lightning, own in self._pairs[2:])


def step(
    layout: torch.memory_format,
    batches: Iterator[Pair] | None = None,
    *,
    low: bool,
    steps: int = STEPS,
) -> Callable[[], None]:
    """Return some steps, from uint8 to new weights; without batches, on pixels in memory."""
    network = EDSR(scale=2).to(memory_format=layout)  # type: ignore[call-overload]
    optimizer = adam(network.parameters())
    lr = torch.randint(0, 256, (BATCH, 3, PATCH, PATCH), dtype=torch.uint8)
    hr = torch.randint(0, 256, (BATCH, 3, 2 * PATCH, 2 * PATCH), dtype=torch.uint8)

    def planes(pixels: Tensor) -> Tensor:
        return (pixels.float() / 255).contiguous(memory_format=layout)

    def run() -> None:
        for _ in range(steps):
            lr_crops, hr_crops = (lr, hr) if batches is None else next(batches)
            with torch.autocast("cpu", torch.bfloat16, enabled=low):
                loss = F.l1_loss(network(planes(lr_crops)), planes(hr_crops))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return run


def loops(dataset: PreparedDataset, *, low: bool) -> dict[str, Callable[[], None]]:
    """Return the plain loop and ours, with their data and without."""
    many = 10_000 * BATCH
    decoded = DataLoader(Decoding(dataset.folder.parent, many), batch_size=BATCH)
    crops = TrainingCrops(
        dataset, patch_sizes={2: PATCH}, batch_size=BATCH, num_samples=many, seed=0
    )
    cropped = DataLoader(crops, batch_size=BATCH)
    plain, ours = torch.contiguous_format, torch.channels_last
    return {
        "plain loop": step(plain, iter(decoded), low=False),
        "our loop": step(ours, iter(cropped), low=low),
        "plain step": step(plain, low=False),
        "our step": step(ours, low=low),
    }


def under_lightning(folder: Path, store: str, precision: str) -> Turns:
    """Run a whole training, in turn with bare steps."""
    folder.mkdir()
    outbox = begun(folder, store)
    turns = Turns(step(torch.channels_last, low=precision == "bf16-mixed", steps=1))
    with delivering(outbox):
        train(
            EDSR(scale=2),
            noise(folder),
            folder,
            steps=24,
            precision=precision,
            loggers=[CurveLogger(outbox)],
            callbacks=[turns],
        )
    return turns


def ceiling(kind: torch.dtype) -> dict[str, Callable[[], object]]:
    """Return a matrix product and a convolution in one type."""
    a, b = torch.randn(2, SIDE, SIDE, dtype=kind)
    pixels = torch.randn(BATCH, CHANNELS, PATCH, PATCH, dtype=kind)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    kernel = torch.randn(CHANNELS, CHANNELS, 3, 3, dtype=kind)
    kernel = kernel.contiguous(memory_format=torch.channels_last)
    name = str(kind).removeprefix("torch.")
    return {
        f"matrix product, {name}": lambda: a @ b,
        f"convolution, {name}": lambda: F.conv2d(pixels, kernel, padding=1),
    }


def step_operations() -> int:
    """Return the operations of one training step."""
    with FlopCounterMode(display=False) as counter:
        EDSR(scale=2)(torch.zeros(BATCH, 3, PATCH, PATCH))
    return 3 * counter.get_total_flops()


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("mirror", nargs="?", metavar="MIRROR")
    parsed = parser.parse_args()
    precision, reason = choose_precision("cpu")
    print(f"precision {precision}: {reason}")
    seed_everything(0, threads=2)
    ceilings = ceiling(torch.float32) | ceiling(torch.bfloat16)
    lightning = []
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = pictures(parsed.mirror, (481, 321), folder / "photographs")
        ways = loops(dataset, low=precision == "bf16-mixed")
        store = f"sqlite:///{folder / 'mlflow.db'}"
        (folder / "first").mkdir()
        deliver(begun(folder / "first", store))  # the store is created once, not in every training
        for number in range(parsed.rounds):
            found = {each: taken / STEPS for each, taken in in_turn(ways, 1).items()}
            found |= in_turn(ceilings, 20)
            seconds = {each: min(taken, seconds.get(each, taken)) for each, taken in found.items()}
            lightning.append(under_lightning(folder / str(number), store, precision))
    seconds["our step under Lightning"] = min(turns.seconds() for turns in lightning)
    found_rows = rows(seconds)
    share = median(turns.ratio() for turns in lightning)
    found_rows[-1]["speed over"] = f"our step, in turn: {share:.3f}"
    show(found_rows, parsed.json)


def rows(seconds: dict[str, float]) -> list[dict[str, object]]:
    """Return the rows with the speed of each, and the ratios to others."""
    matrix, convolution = 2 * SIDE**3, 2 * BATCH * PATCH**2 * CHANNELS**2 * 9
    operations = {
        name: matrix if "matrix" in name else convolution if "conv" in name else step_operations()
        for name in seconds
    }
    speed = {name: operations[name] / taken / 1e9 for name, taken in seconds.items()}
    ratios = {
        "our loop": ("plain loop",),
        "our step": ("plain step", "convolution, bfloat16"),
    }
    return [
        {
            "what": name,
            "ms": round(1000 * taken, 2),
            "GFLOP/s": round(speed[name]),
            "speed over": "; ".join(
                f"{other}: {speed[name] / speed[other]:.3f}" for other in ratios.get(name, ())
            ),
        }
        for name, taken in seconds.items()
    ]


if __name__ == "__main__":
    main()
