"""Runs the founding paper's experiment on ten natural pictures, in both modes.

    python benchmarks/single_image.py [MIRROR]

The pictures are the five of `sample_test` and the first five photographs of Set14. Each training is
the command of docs/single_image.md, on one thread, one after another. Prints a table for each mode,
and a line of JSON.
"""

import csv
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from drnsr.data.registry import fetch_registry
from drnsr.data.single import MODES

ROOT = Path(__file__).resolve().parents[1]
# Number 5, the comic, is a drawing.
SET14 = {1: "baboon", 2: "barbara", 3: "bridge", 4: "coastguard", 6: "face"}


@dataclass(frozen=True)
class Row:
    """One training."""

    mode: str
    picture: str
    bicubic_psnr: float
    psnr: float
    bicubic_ssim: float
    ssim: float
    training_s: float


def pictures(folder: Path, mirror: str | None) -> list[Path]:
    """The ten, under names that people know."""
    registry, downloads = ROOT / "conf" / "registry", ROOT / "data" / "downloads"
    for name in ("sample_test", "set14_x2"):
        fetch_registry(registry / f"{name}.txt", downloads, folder / name, mirror=mirror)
    chosen = sorted((folder / "sample_test").iterdir())
    for number, name in SET14.items():
        found = folder / "set14_x2" / f"img_{number:03}_SRF_2_HR.png"
        chosen.append(found.rename(folder / f"{name}.png"))
    return chosen


def train(picture: Path, mode: str, folder: Path) -> Row:
    """One run of the experiment, as a user calls it."""
    command = [sys.executable, "-m", "pipelines.train", "experiment=single_image", "logger=none"]
    command += [f"image={picture}", f"mode={mode}", f"hydra.run.dir={folder}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with (folder / "metrics" / "per_image.csv").open() as file:
        (found,) = csv.DictReader(file)
    cost = json.loads((folder / "metrics" / "training_cost.json").read_text())
    names = ("bicubic_psnr", "model_psnr", "bicubic_ssim", "model_ssim")
    return Row(mode, picture.stem, *(float(found[name]) for name in names), cost["seconds"])


def table(rows: list[Row]) -> Table:
    """Picture by picture, better ones counted."""
    better = sum(row.psnr > row.bicubic_psnr and row.ssim > row.bicubic_ssim for row in rows)
    shown = Table(title=f"{rows[0].mode}: better than bicubic on {better} of {len(rows)}")
    for heading in ("picture", "bicubic dB / SSIM", "model dB / SSIM", "gain dB", "training s"):
        shown.add_column(heading, justify="left" if heading == "picture" else "right")
    for row in rows:
        shown.add_row(
            row.picture,
            f"{row.bicubic_psnr:.2f} / {row.bicubic_ssim:.4f}",
            f"{row.psnr:.2f} / {row.ssim:.4f}",
            f"{row.psnr - row.bicubic_psnr:+.2f}",
            f"{row.training_s:.1f}",
        )
    return shown


def main(mirror: str | None) -> None:
    """Train on every picture in every mode."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = pictures(folder, mirror)
        runs = [(mode, picture) for mode in MODES for picture in chosen]
        rows = [
            train(picture, mode, folder / mode / picture.stem)
            for mode, picture in track(runs, "training", console=Console(stderr=True))
        ]
    for mode in MODES:
        Console().print(table([row for row in rows if row.mode == mode]))
    print(json.dumps([asdict(row) for row in rows]))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
