"""The table of a multirun: what each job was, how long it trained, and how good it became.

    python benchmarks/sweep_table.py multirun/DATE/TIME [...]

Sorted by PSNR; of each job, the experiment of its command line, and what is in its metrics.
"""

import json
from pathlib import Path

from measuring import arguments, show
from omegaconf import OmegaConf


def row(job: Path) -> dict[str, object]:
    """One job of a multirun."""
    overrides = OmegaConf.to_object(OmegaConf.load(job / ".hydra" / "overrides.yaml"))
    assert isinstance(overrides, list)
    config = OmegaConf.load(job / ".hydra" / "config.yaml")
    benchmark = json.loads((job / "metrics" / "benchmark.json").read_text(encoding="utf-8"))
    cost = json.loads((job / "metrics" / "training_cost.json").read_text(encoding="utf-8"))
    experiment = next(each for each in overrides if each.startswith("experiment="))
    scores = {
        f"{name} dB": round(found["model"]["psnr"], 3)
        for name, found in benchmark.items()
        if name.startswith("set")
    }
    return {
        "experiment": experiment.removeprefix("experiment="),
        "scale": config.scale,
        "steps": config.trainer.max_steps,
        "seconds": round(cost["seconds"], 1),
        **scores,
    }


def main() -> None:
    """Read and print."""
    parser = arguments(__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parsed = parser.parse_args()
    jobs = [path.parent for folder in parsed.folders for path in folder.glob("**/.hydra")]
    finished = [job for job in jobs if (job / "metrics" / "benchmark.json").is_file()]
    rows = sorted((row(job) for job in finished), key=lambda each: -float(str(each["set5 dB"])))
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
