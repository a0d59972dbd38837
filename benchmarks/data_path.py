"""Crops per second with augmentation, compared with decoding a PNG file for each sample.

    python benchmarks/data_path.py MIRROR

A plain data set, as in the well-known trainers, opens the PNG files of both resolutions for each
sample, crops and flips. Ours takes crops from a dataset. Both run in turn through a DataLoader in
the process: LR patch 48, scale 2, batches of 16. The images are 20 of BSDS500, in their own size
and in that of DIV2K. The last row compares with the number of crops that the default network trains
on.
"""

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from measuring import arguments, fetched, in_turn, show
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from trainings import noise, train

from drnsr.data.crops import TrainingCrops
from drnsr.data.prepare import Part, prepare_training_set
from drnsr.data.prepared import PreparedDataset
from drnsr.networks import DRNSR
from drnsr.training.precision import choose_precision

PATCH, BATCH, PICTURES = 48, 16, 20
SIZES = {"BSDS500, 481 x 321": (481, 321), "2K, 2040 x 1356": (2040, 1356)}


class Decoding(Dataset[tuple[Tensor, Tensor]]):
    """The plain data set."""

    def __init__(self, folder: Path, count: int) -> None:
        self.files = [(path, folder / "lr" / path.name) for path in sorted(folder.glob("*.png"))]
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, _: int) -> tuple[Tensor, Tensor]:
        hr, lr = (np.asarray(Image.open(path)) for path in random.choice(self.files))
        top = random.randrange(lr.shape[0] - PATCH + 1)
        left = random.randrange(lr.shape[1] - PATCH + 1)
        pair = [
            lr[top : top + PATCH, left : left + PATCH],
            hr[2 * top : 2 * (top + PATCH), 2 * left : 2 * (left + PATCH)],
        ]
        if random.random() < 0.5:
            pair = [each[:, ::-1] for each in pair]
        if random.random() < 0.5:
            pair = [each[::-1] for each in pair]
        if random.random() < 0.5:
            pair = [each.transpose(1, 0, 2) for each in pair]
        lr_crop, hr_crop = (torch.from_numpy(each.transpose(2, 0, 1).copy()) for each in pair)
        return lr_crop, hr_crop


def pictures(mirror: str | None, size: tuple[int, int], folder: Path) -> PreparedDataset:
    """Write PNG files of both resolutions for the plain data set, and the dataset for ours."""
    (folder / "lr").mkdir(parents=True)
    for path in fetched("bsds500_test", mirror, folder.parent)[:PICTURES]:
        picture = Image.open(path).convert("RGB")
        landscape = picture.width > picture.height
        picture = picture.resize(size if landscape else size[::-1], Image.Resampling.BICUBIC)
        picture.save(folder / f"{path.stem}.png")
    dataset = prepare_training_set(
        [Part(sorted(folder.glob("*.png")), 0.05)],
        folder / "dataset",
        name="photographs",
        scales=[2],
    )
    for number, image in enumerate(dataset.images):
        Image.fromarray(dataset.lr(number, 2)).save(folder / "lr" / image.name)
    return dataset


def read_all(data: Dataset[tuple[Tensor, Tensor]]) -> Callable[[], None]:
    """Return a call that goes through all batches."""

    def run() -> None:
        for _ in DataLoader(data, batch_size=BATCH):
            pass

    return run


def compare(name: str, dataset: PreparedDataset, rounds: int) -> dict[str, object]:
    """Measure the crops per second of both."""
    plain, ours = 6 * BATCH, 200 * BATCH
    ways = {
        "plain": read_all(Decoding(dataset.folder.parent, plain)),
        "ours": read_all(
            TrainingCrops(
                dataset, patch_sizes={2: PATCH}, batch_size=BATCH, num_samples=ours, seed=0
            )
        ),
    }
    seconds = in_turn(ways, rounds)
    rates = {"ours": ours / seconds["ours"], "other": plain / seconds["plain"]}
    return row(name, "a PNG decoded for each sample", rates)


def row(name: str, other: str, rates: dict[str, float]) -> dict[str, object]:
    """Return the row with both rates and their ratio."""
    return {
        "images": name,
        "our crops/s": round(rates["ours"]),
        "compared with": other,
        "its crops/s": round(rates["other"]),
        "ratio": round(rates["ours"] / rates["other"], 1),
    }


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("mirror", nargs="?", metavar="MIRROR")
    parsed = parser.parse_args()
    torch.set_num_threads(2)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, size in SIZES.items():
            dataset = pictures(parsed.mirror, size, folder / str(size[0]))
            rows.append(compare(title, dataset, parsed.rounds))
        precision, _ = choose_precision("cpu")
        step = train(DRNSR(scale=2), noise(folder), folder, steps=30, precision=precision).a_step()
        rates = {"ours": rows[0]["our crops/s"], "other": BATCH / step}
        rows.append(row(next(iter(SIZES)), "the default network in training", rates))
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
