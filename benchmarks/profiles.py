"""Profiles of one training step of EDSR-baseline, and of one `drnsr upscale`.

    python benchmarks/profiles.py

The step is profiled by torch, operation by operation; the upscaling (drnsr-x2, a JPEG of 1600 x
1200) by Python, function by function. The times exclude those of the functions called.
"""

import contextlib
import cProfile
import io
import pstats
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from measuring import arguments, show
from PIL import Image
from torch.profiler import ProfilerActivity, profile
from training_step import STEPS, step

from drnsr.cli import main as drnsr
from drnsr.training.trainer import seed_everything

LINES = 10


def training_step() -> list[dict[str, object]]:
    """Return the operations that take most of a step."""
    seed_everything(0, threads=2)
    steps = step(torch.channels_last, low=True)
    steps()
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        steps()
    events = sorted(
        recorded.key_averages(), key=lambda each: each.self_cpu_time_total, reverse=True
    )
    total = sum(each.self_cpu_time_total for each in events)
    return [
        {
            "operation": each.key,
            "ms": round(each.self_cpu_time_total / 1000 / STEPS, 1),
            "share": f"{100 * each.self_cpu_time_total / total:.1f} %",
            "calls": each.count // STEPS,
        }
        for each in events[:LINES]
    ]


def upscale() -> list[dict[str, object]]:
    """Return the functions that take most of an upscaling, without the imports."""
    with tempfile.TemporaryDirectory() as name:
        picture = Path(name) / "photo.jpg"
        pixels = np.random.default_rng(0).integers(0, 256, (75, 100, 3), np.uint8)
        Image.fromarray(pixels).resize((1600, 1200), Image.Resampling.BICUBIC).save(picture)
        command = ["upscale", str(picture), "--out", name, "--overwrite"]
        recorded = cProfile.Profile()
        with contextlib.redirect_stdout(io.StringIO()):
            drnsr(command)
            recorded.runcall(drnsr, command)
    # By (file, line, function): the calls, those that are not recursive, and the own seconds.
    stats = vars(pstats.Stats(recorded))["stats"]
    found = sorted(stats.items(), key=lambda each: -float(each[1][2]))
    total = sum(each[2] for each in stats.values())
    return [
        {
            "function": f"{Path(file).name}:{line} {function}" if line else function,
            "ms": round(1000 * own),
            "share": f"{100 * own / total:.1f} %",
            "calls": calls,
        }
        for (file, line, function), (_, calls, own, *_) in found[:LINES]
    ]


def main() -> None:
    """Profile both, and print."""
    parsed = arguments(__doc__).parse_args()
    # Each runs in its own process: a training turns deterministic algorithms on, and an upscaling
    # keeps freed memory, for the rest of the process.
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), max_tasks_per_child=1
    ) as processes:
        for name, measured in {"training step": training_step, "upscale": upscale}.items():
            rows = processes.submit(measured).result()
            print(name)
            file = parsed.json and parsed.json.with_stem(f"{parsed.json.stem}-{name.split()[0]}")
            show(rows, file)


if __name__ == "__main__":
    main()
