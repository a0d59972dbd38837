"""The experiment `single_image` on ten natural images, in both modes.

    python benchmarks/single_image.py MIRROR

The images are the five of `sample_test` and the first five photographs of Set14. Each training is
the command of docs/single_image.md, on one thread, one after another.
"""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import ROOT, arguments, fetched, show, training_cost
from rich.console import Console
from rich.progress import track

from drnsr.data.single import MODES

# Number 5, the comic, is a drawing.
SET14 = {1: "baboon", 2: "barbara", 3: "bridge", 4: "coastguard", 6: "face"}


def pictures(folder: Path, mirror: str | None) -> list[Path]:
    """Return the ten images, under their usual names."""
    chosen = fetched("sample_test", mirror, folder)
    set14 = {each.name: each for each in fetched("set14_x2", mirror, folder)}
    for number, name in SET14.items():
        found = set14[f"img_{number:03}_SRF_2_HR.png"]
        chosen.append(found.rename(folder / f"{name}.png"))
    return chosen


def train(picture: Path, mode: str, folder: Path) -> dict[str, object]:
    """Run the experiment once, with the command of a user."""
    command = [sys.executable, "-m", "pipelines.train", "experiment=single_image", "logger=none"]
    command += [f"image={picture}", f"mode={mode}", f"hydra.run.dir={folder}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with (folder / "metrics" / "per_image.csv").open(encoding="utf-8") as file:
        (texts,) = csv.DictReader(file)
    names = ("bicubic_psnr", "model_psnr", "bicubic_ssim", "model_ssim")
    psnr_before, psnr, ssim_before, ssim = (float(texts[name]) for name in names)
    cost = training_cost(folder / "models" / "model.safetensors")
    return {
        "mode": mode,
        "picture": picture.stem,
        "bicubic dB": round(psnr_before, 2),
        "bicubic SSIM": round(ssim_before, 4),
        "model dB": round(psnr, 2),
        "model SSIM": round(ssim, 4),
        "gain dB": round(psnr - psnr_before, 2),
        "better by both": psnr > psnr_before and ssim > ssim_before,
        "training s": round(cost["seconds"], 1),
    }


def main() -> None:
    """Train on every image in every mode."""
    parser = arguments(__doc__)
    parser.add_argument("mirror", nargs="?", metavar="MIRROR")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = pictures(folder, parsed.mirror)
        runs = [(mode, picture) for mode in MODES for picture in chosen]
        rows = [
            train(picture, mode, folder / mode / picture.stem)
            for mode, picture in track(runs, "training", console=Console(stderr=True))
        ]
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
