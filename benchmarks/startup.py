"""The time until something happens; the graph must have been run here (`make repro`).

    python benchmarks/startup.py

It measures in turn, the fastest of each: `drnsr --help`; the stage `train`, untracked, until its
first step ends, compared with a process that imports torch and lightning and ends; and a `dvc
repro` that has nothing to do.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from measuring import ROOT, arguments, in_turn, show

# The stage; the end of its first step ends the process.
_FIRST_STEP = """
import os
from drnsr.training.callbacks.curves import Curves
Curves.on_train_batch_end = lambda *_: os._exit(0)
from pipelines.app import run_stage
from pipelines.train import train
run_stage(train)
"""


def call(*command: str, folder: Path = ROOT) -> Callable[[], object]:
    """Return a call of a process that must succeed."""
    return lambda: subprocess.run(command, cwd=folder, check=True, capture_output=True)


def project(folder: Path) -> Path:
    """Link what the stage needs into a folder, in which the training may leave its state."""
    for name in ("conf", "pipelines", "resolved.yaml", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "data").mkdir()
    shutil.copytree(ROOT / "data" / "prepared", folder / "data" / "prepared")
    return folder


def main() -> None:
    """Measure, and print."""
    parsed = arguments(__doc__, rounds=3).parse_args()
    programs = Path(sys.executable).parent
    status = subprocess.run([programs / "dvc", "status"], cwd=ROOT, capture_output=True, text=True)
    if "up to date" not in status.stdout:
        sys.exit("error: `dvc status` names stages to run; run `make repro` first")
    with tempfile.TemporaryDirectory() as name:
        place = project(Path(name))
        options = ["--config-dir=.", "--config-name=resolved", "logger.experiment=null"]
        options += ["hydra.run.dir=.", "hydra.output_subdir=null"]
        ways = {
            "drnsr --help": call(str(programs / "drnsr"), "--help"),
            "import torch, lightning": call(sys.executable, "-c", "import torch, lightning"),
            "train, to its first step": call(
                sys.executable, "-c", _FIRST_STEP, *options, folder=place
            ),
            "dvc repro, nothing to do": call(str(programs / "dvc"), "repro"),
        }
        seconds = in_turn(ways, parsed.rounds)
    ratio = seconds["train, to its first step"] / seconds["import torch, lightning"]
    rows: list[dict[str, object]] = [
        {"what": what, "seconds": round(taken, 2)} for what, taken in seconds.items()
    ]
    show([*rows, {"what": "first step over imports", "seconds": f"{ratio:.2f} times"}], parsed.json)


if __name__ == "__main__":
    main()
