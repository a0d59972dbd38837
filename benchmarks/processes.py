"""Training in one process and in two on a CPU: the speed of the same steps.

    python benchmarks/processes.py MIRROR

EDSR-baseline x2 with the global batch of 16 patches of 48 pixels, by the command of a training, in
turn: one process of two threads; two processes of one thread (DDP over gloo); one process that
accumulates the gradients of two halves of each batch. A step has the same samples in all of them.

The second table computes how long gradients take between GPUs. It needs none, and `--computed`
prints it alone.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hydra.utils import instantiate
from measuring import ROOT, arguments, fetched, show
from omegaconf import OmegaConf

from drnsr.data.prepare import Part, prepare_training_set

WAYS = {
    "1 process, 2 threads": ("trainer=cpu", "trainer.threads=2"),
    "2 processes, 1 thread each": ("trainer=ddp_cpu", "trainer.threads=1"),
    "1 process, accumulating 2 parts": (
        *("trainer=cpu", "trainer.threads=2"),
        "trainer.accumulate_grad_batches=2",
    ),
}

# Bytes a second that a GPU sends. NVLink 4: half of the 900 GB/s in the data sheet of the H100 SXM.
# InfiniBand NDR: 400 Gbit/s a port, and a port for each GPU, as in a DGX H100.
NVLINK, INFINIBAND = 450e9, 50e9


def seconds(data: Path, steps: int, seed: int, options: tuple[str, ...]) -> float:
    """Train in a new folder, and return the seconds of the training without its preparations."""
    command = [
        *(sys.executable, "-m", "pipelines.train", "data=folder", "model=edsr_baseline"),
        *(f"run.data={data}", f"seed={seed}", f"trainer.max_steps={steps}"),
        *("run.prepare_before_training=false", "run.evaluate_after_training=false"),
        *("scheduler.warmup_steps=1", "datamodule.validation_crop=32", "checkpoints.seconds=3600"),
        *("logger.experiment=null", *options),
    ]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), *filter(None, sys.path)])
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": path},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (cost,) = Path(folder).glob("runs/*/training_cost.json")
        return float(json.loads(cost.read_text(encoding="utf-8"))["seconds"])


def all_reduce(size: float, processes: int, bandwidth: float) -> float:
    """Return the ms that a ring takes to add up so many bytes (Patarasuk and Yuan 2009)."""
    return 1000 * 2 * (processes - 1) / processes * size / bandwidth


def computed() -> list[dict[str, object]]:
    """Return the time that the gradients of a step take, which are in fp32."""
    rows: list[dict[str, object]] = []
    for name in ("edsr_baseline", "rcan", "edsr"):
        model = OmegaConf.load(ROOT / "conf" / "model" / f"{name}.yaml")
        network = instantiate(OmegaConf.merge(model, {"scale": 2}).network)
        size = 4 * sum(parameter.numel() for parameter in network.parameters())
        rows.append(
            {
                "network, x2": name,
                "gradients MB": round(size / 1e6, 1),
                "8 GPUs, NVLink: ms": round(all_reduce(size, 8, NVLINK), 2),
                "4 x 8 GPUs, InfiniBand: ms": round(all_reduce(size, 32, INFINIBAND), 2),
            }
        )
    return rows


def main() -> None:
    """Measure all ways in turn, and print the tables."""
    parser = arguments(__doc__, rounds=1)
    parser.add_argument("mirror", nargs="?", help="a folder with the data; else it is downloaded")
    parser.add_argument("--steps", type=int, default=20, help="measured in each training")
    parser.add_argument("--computed", action="store_true", help="print the second table alone")
    parsed = parser.parse_args()
    if not parsed.computed:
        show(measured(parsed.mirror, parsed.steps, parsed.rounds), parsed.json)
    show(computed(), None)


def measured(mirror: str | None, steps: int, rounds: int) -> list[dict[str, object]]:
    """Return the time of a step of each way.

    Args:
        mirror: a folder with the data; None to download it.
        steps: measured in each training.
        rounds: how often each way is measured.
    """
    fastest = dict.fromkeys(WAYS, float("inf"))
    with tempfile.TemporaryDirectory() as folder:
        photographs = fetched("bsds500_test", mirror, Path(folder))[:20]
        prepare_training_set(
            [Part(photographs, 0.05)],
            Path(folder) / "prepared" / "train",
            name="folder",
            scales=[2],
        )
        for seed in range(rounds):
            for name, options in WAYS.items():
                # The start is in both, so that the difference is that of the steps alone.
                few, many = (seconds(Path(folder), n, seed, options) for n in (2, 2 + steps))
                fastest[name] = min(fastest[name], (many - few) / steps)
    first = fastest[next(iter(WAYS))]
    return [
        {"what": name, "ms a step": round(1000 * each, 1), "speed": round(first / each, 2)}
        for name, each in fastest.items()
    ]


if __name__ == "__main__":
    main()
