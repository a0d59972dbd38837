"""The table of a multirun: the command line of each job, its time and its results.

    python benchmarks/sweep_table.py multirun/DATE/TIME [...]

It is sorted by the PSNR of the validation images, by which a recipe may be chosen; the results on
the benchmarks are beside it.
"""

import csv
import json
import sys
from operator import itemgetter
from pathlib import Path
from typing import Any

from measuring import arguments, show, training_cost
from omegaconf import OmegaConf

VALIDATION = "validation dB"


def row(job: Path) -> dict[str, Any]:
    """Return the row of one job."""
    overrides = OmegaConf.to_object(OmegaConf.load(job / ".hydra" / "overrides.yaml"))
    assert isinstance(overrides, list)
    config = OmegaConf.load(job / ".hydra" / "config.yaml")
    benchmark = json.loads((job / "metrics" / "benchmark.json").read_text(encoding="utf-8"))
    cost = training_cost(job / "models" / "model.safetensors")
    with (job / "metrics" / "curves" / "validation_psnr.csv").open(encoding="utf-8") as file:
        curve = list(csv.DictReader(file))
    scores = {
        f"{name} dB": round(found["model"]["psnr"], 3)
        for name, found in benchmark.items()
        if name.startswith("set")
    }
    return {
        "job": " ".join(overrides).removeprefix("experiment="),
        "scale": config.scale,
        "steps": config.trainer.max_steps,
        "seconds": round(cost["seconds"], 1),
        VALIDATION: round(float(curve[-1]["psnr_db"]), 3),
        **scores,
    }


def main() -> None:
    """Read the jobs, and print the table."""
    parser = arguments(__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parsed = parser.parse_args()
    jobs = [path.parent for folder in parsed.folders for path in folder.glob("**/.hydra")]
    finished = [job for job in jobs if (job / "metrics" / "benchmark.json").is_file()]
    for job in set(jobs) - set(finished):
        print(f"not finished: {job}", file=sys.stderr)
    if not finished:
        sys.exit("error: none of these folders has a finished job of a multirun")
    show(sorted(map(row, finished), key=itemgetter(VALIDATION), reverse=True), parsed.json)


if __name__ == "__main__":
    main()
