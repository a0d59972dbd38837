"""What it costs and gains that torch's threads soon give their cores away while they wait.

``python benchmarks/busy_core.py`` runs training steps and enlargements in processes with torch's
default and with the ``GOMP_SPINCOUNT`` that drnsr sets, in turn: alone, and beside a program that
keeps one core busy. It prints the ratio of the medians.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

MODEL = Path(__file__).parents[1] / "src/drnsr/pretrained/drnsr-x2.safetensors"
SECONDS = 2.0  # of each process
PAIRS = 4
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
SHORT = {"GOMP_SPINCOUNT": "3000"}  # as in src/drnsr/__init__.py


def training_step() -> Callable[[], object]:
    """Return a step on 16 crops of 48 pixels, in bf16."""
    import torch

    from drnsr.weights.native import load_model

    network = load_model(MODEL).train().requires_grad_(True)
    optimizer = torch.optim.Adam(network.parameters(), 1e-4)
    lr, hr = torch.rand(16, 3, 48, 48), torch.rand(16, 3, 96, 96)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            output = network(lr)
        torch.nn.functional.l1_loss(output.float(), hr).backward()
        optimizer.step()

    return step


def enlargement() -> Callable[[], object]:
    """Return the enlargement of a picture of 256 x 256."""
    from drnsr import Upscaler

    upscaler = Upscaler.from_file(MODEL)
    picture = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    return lambda: upscaler(picture)


WORK = {"training step": training_step, "enlargement": enlargement}


def measure(name: str) -> None:
    """Print how long a piece of work takes in this process, in seconds: the median."""
    import torch  # before drnsr, which would set it

    torch.set_num_threads(2)
    work = WORK[name]()
    for _ in range(3):
        work()
    times = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    print(json.dumps(median(times)))


def seconds(name: str, waiting: dict[str, str]) -> float:
    """Measure in a process with these variables."""
    environment = {key: value for key, value in os.environ.items() if key not in WAITING} | waiting
    command = [sys.executable, __file__, name]
    printed = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
    return float(json.loads(printed))


def main() -> None:
    """Measure in turn, and print a table."""
    for place in ("alone", "beside a busy core"):
        busy = None
        if place != "alone":
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            for name in WORK:
                pairs = [(seconds(name, {}), seconds(name, SHORT)) for _ in range(PAIRS)]
                default, short = (median(times) for times in zip(*pairs, strict=True))
                print(f"{name} {place}: {default:.3f} s, ours {short:.3f} s,", end=" ")
                print(f"{short / default:.2f} times as long", flush=True)
        finally:
            if busy is not None:
                busy.kill()


if __name__ == "__main__":
    measure(sys.argv[1]) if len(sys.argv) > 1 else main()
