"""One GPU: the speed of training and upscaling, and the guarantees of determinism.

    python benchmarks/gpu.py

It needs a CUDA device and no files: the images are noise. Each step of ours (bf16, channels-last,
crops cut on the device, averaging, curves, states) is compared with a plain PyTorch loop as in the
well-known trainers: fp32, contiguous, Adam, a batch that is on the device already. An image is
upscaled from its bytes to its bytes, in memory. The checks run the same trainer: compiled against
eager, twice in two processes, and killed and resumed. They also compare compiled inference and
tiles with the whole, and run the three commands that take a device on small images in a temporary
folder. The commands also need hydra-core, pydantic, albumentations, pooch and imagecodecs, with
what these need; if they are missing, only these checks fail.
`--device cpu --small` runs every branch in a few minutes.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
import torch.nn.functional as F
from measuring import ROOT, arguments, in_turn, show
from PIL import Image
from torch import Tensor
from trainings import Clock, adam, begun, noise, train

from drnsr.data.crops import TrainingCrops
from drnsr.data.prepared import PreparedDataset
from drnsr.data.resident import CropPositions, ResidentPixels
from drnsr.images.picture import from_array
from drnsr.inference.engine import AUTOCAST, TorchEngine
from drnsr.inference.tiling import Tiling
from drnsr.networks import DRNSR, EDSR, RCAN, Network
from drnsr.networks.base import Precision
from drnsr.tracking.logger import CurveLogger

Row = dict[str, object]

# Network, batch, LR patch, and the number of steps that are timed.
STEPS: dict[str, tuple[Callable[[], Network], int, int, int]] = {
    "EDSR-baseline x2": (lambda: EDSR(scale=2), 16, 48, 300),
    "EDSR-baseline x2 ": (lambda: EDSR(scale=2), 256, 48, 60),
    "drnsr 48x7 x2": (lambda: DRNSR(scale=2, num_features=48, num_blocks=7), 64, 32, 300),
    "RCAN x2": (lambda: RCAN(scale=2), 16, 48, 20),
}
SMALL: dict[str, tuple[Callable[[], Network], int, int, int]] = {
    "drnsr 8x1 x2": (lambda: DRNSR(scale=2, num_features=8, num_blocks=1), 4, 12, 5),
}
WARM_UP = 12  # steps; they also compile and record


class Pace(Clock):
    """Times all steps after the warm-up at once: timing each would synchronize the device."""

    def __init__(self, device: torch.device, last: int) -> None:
        super().__init__()
        self._device, self._last, self._step = device, last, 0
        self.taken = 0.0

    def on_train_batch_end(self, *arguments: Any) -> None:  # noqa: ANN401 (Lightning's own)
        """Read the clock at the first and the last step."""
        self._step += 1
        if self._step in (WARM_UP, self._last):
            finish(self._device)
            self.taken = time.perf_counter() - self.taken

    def a_step(self) -> float:
        """Return the mean seconds of a step."""
        return self.taken / (self._last - WARM_UP)


def finish(device: torch.device) -> None:
    """Wait until the device has finished."""
    if device.type != "cpu":
        torch.get_device_module(device).synchronize()


def plain_step(network: Network, batch: int, patch: int, steps: int, device: torch.device) -> float:
    """Return the seconds of a step of the plain loop."""
    network = network.to(device)
    optimizer = adam(network.parameters())
    lr = torch.randint(0, 256, (batch, 3, patch, patch), device=device) / 255
    hr = torch.randint(0, 256, (batch, 3, 2 * patch, 2 * patch), device=device) / 255
    start = 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            finish(device)
            start = time.perf_counter()
        loss = F.l1_loss(network(lr), hr)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    finish(device)
    return (time.perf_counter() - start) / steps


def trained_step(
    network: Network,
    batch: int,
    patch: int,
    steps: int,
    device: torch.device,
    *,
    dataset: PreparedDataset,
    folder: Path,
    **choices: bool,
) -> float:
    """Return the seconds of a step of the trainer."""
    last = WARM_UP + steps
    pace = Pace(device, last)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        run = Path(name)
        train(
            network,
            dataset,
            run,
            steps=last,
            patch_size=patch,
            batch_size=batch,
            accelerator=device.type,
            precision="bf16-mixed",
            loggers=[CurveLogger(begun(run, f"sqlite:///{run / 'mlflow.db'}"))],
            clock=pace,
            **choices,
        )
    return pace.a_step()


WAYS: dict[str, dict[str, bool]] = {
    "ours": {"compiled": True, "deterministic": True},
    "ours, deterministic: false": {"compiled": True, "deterministic": False},
    "ours, compile: false": {"compiled": False, "deterministic": True},
}


def pace_rows(parsed: Namespace, device: torch.device, folder: Path) -> list[Row]:
    """Measure the plain loop of each network, and ours in each way."""
    side, chosen = (120, SMALL) if parsed.small else (800, STEPS)
    dataset = noise(folder, side=side)
    rows: list[Row] = []
    for number, (name, (make, batch, patch, steps)) in enumerate(chosen.items()):
        torch.use_deterministic_algorithms(False)
        plain = plain_step(make(), batch, patch, steps, device)
        rows.append(row(name, batch, "plain loop", plain, plain))
        for way, choices in WAYS.items():
            if number > 0 and way != "ours":
                continue  # the first network shows what the choices cost
            began = time.perf_counter()
            seconds = trained_step(
                make(), batch, patch, steps, device, dataset=dataset, folder=folder, **choices
            )
            print(f"{name}, batch {batch}, {way}: {time.perf_counter() - began:.0f} s in all")
            rows.append(row(name, batch, way, seconds, plain))
    return rows


def row(name: str, batch: int, way: str, seconds: float, plain: float) -> Row:
    """Return one row of the table."""
    return {
        "network": name.strip(),
        "batch": batch,
        "step": way,
        "ms": round(1000 * seconds, 2),
        "samples/s": round(batch / seconds),
        "speed over the plain loop": round(plain / seconds, 2),
    }


def picture_rows(parsed: Namespace, device: torch.device) -> list[Row]:
    """Measure EDSR-baseline x2 on an image of 8 bits: whole, in tiles, and compiled in bf16."""
    height, width, tiles = (36, 64, (32,)) if parsed.small else (720, 1280, (640, 320))
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    network = EDSR(scale=2, num_blocks=1 if parsed.small else 16)
    whole: dict[str, float] = {}
    rows: list[Row] = []
    ways = [(precision, False) for precision in get_args(Precision)]
    for precision, compiled in [*ways, ("bf16", True)]:
        name = f"{precision}, compiled" if compiled else precision
        began = time.perf_counter()
        engine = TorchEngine(network, 2, parsed.device, precision, compile=compiled)
        for tile in ("off", *tiles):
            tiling = Tiling(engine, tile=tile)
            picture = from_array(pixels)
            work = {"": lambda tiling=tiling, picture=picture: tiling.upscale(picture)}
            try:
                seconds = in_turn(work, 10)[""]
            except Exception as error:  # the other rows are still measured
                print(f"{name}, tile {tile}: FAILED: {type(error).__name__}: {error}", flush=True)
                continue
            whole.setdefault(name, seconds)
            rows.append(
                {
                    "picture": f"{width} x {height}",
                    "precision": name,
                    "tile": tile,
                    "ms": round(1000 * seconds, 1),
                    "speed over whole fp32": round(whole["fp32"] / seconds, 2),
                    "speed over whole": round(whole[name] / seconds, 2),
                }
            )
        if not compiled:
            rows.append(network_row(network, height, width, precision, device, whole["fp32"]))
        print(f"{name}: {time.perf_counter() - began:.0f} s in all", flush=True)
    return rows


def network_row(
    network: Network, height: int, width: int, precision: str, device: torch.device, fp32: float
) -> Row:
    """Measure only the network, on pixels that are on the device."""
    lr = torch.rand(1, 3, height, width, device=device)
    lr = lr.contiguous(memory_format=torch.channels_last)
    low = AUTOCAST.get(precision)

    def run() -> None:
        with torch.inference_mode(), torch.autocast(device.type, low, enabled=low is not None):
            network.upscale(lr, 2)
        finish(device)

    seconds = in_turn({"": run}, 10)[""]
    return {
        "picture": f"{width} x {height}",
        "precision": precision,
        "tile": "the network alone",
        "ms": round(1000 * seconds, 1),
        "speed over whole fp32": round(fp32 / seconds, 2),
        "speed over whole": "",
    }


def small_training(
    folder: Path,
    dataset: PreparedDataset,
    device: torch.device,
    *,
    steps: int,
    compiled: bool,
    precision: str = "32-true",
    seconds_between_states: float = 1e9,
) -> dict[str, Tensor]:
    """Return the weights after a short training of a small network."""
    torch.manual_seed(0)
    network = DRNSR(scale=2, num_features=16, num_blocks=2)
    train(
        network,
        dataset,
        folder,
        steps=steps,
        patch_size=16,
        accelerator=device.type,
        compiled=compiled,
        precision=precision,
        seconds_between_states=seconds_between_states,
    )
    return {name: value.cpu() for name, value in network.state_dict().items()}


def compiled_is_eager(folder: Path, dataset: PreparedDataset, device: torch.device) -> str:
    """Compare the weights after 20 steps in fp32 (on a GPU in TF32, with 11 bits)."""
    runs = []
    for compiled in (False, True):
        run = folder / f"compiled_{compiled}"
        run.mkdir()
        runs.append(small_training(run, dataset, device, steps=20, compiled=compiled))
    apart, size = (
        torch.cat([weights.flatten() for weights in which]).norm()
        for which in ([runs[0][n] - runs[1][n] for n in runs[0]], list(runs[0].values()))
    )
    details = f"after 20 steps |difference| / |weights| is {float(apart / size):.1e}"
    assert apart < 1e-3 * size, details
    return details


def device_crops_are_cpu_crops(folder: Path, dataset: PreparedDataset, device: torch.device) -> str:
    """Compare many batches of crops, bit by bit."""
    sizes = {2: 20}
    crops = TrainingCrops(dataset, patch_sizes=sizes, batch_size=16, num_samples=1600, seed=3)
    positions = CropPositions(dataset, patch_sizes=sizes, draws=crops.draws)
    pixels = ResidentPixels(dataset, patch_sizes=sizes, device=device)
    for batch in range(100):
        numbers = range(16 * batch, 16 * batch + 16)
        cut = pixels.cut(positions.batch(numbers))
        for mine, theirs in zip(cut, crops.batch(numbers), strict=True):
            assert torch.equal(mine.cpu(), theirs)
    return "1600 samples"


def child(parsed: Namespace, device: torch.device) -> None:
    """Train in this process, and print the hash of the weights."""
    dataset = PreparedDataset.open(parsed.child / "dataset")
    weights = small_training(
        parsed.child / parsed.run,
        dataset,
        device,
        steps=parsed.steps,
        compiled=not parsed.small,
        precision="bf16-mixed",
        seconds_between_states=0 if parsed.run == "killed" else 1e9,
    )
    sha256 = hashlib.sha256()
    for value in weights.values():
        sha256.update(value.numpy().tobytes())
    print(f"weights {sha256.hexdigest()}")


def in_a_process(parsed: Namespace, folder: Path, run: str, steps: int) -> subprocess.Popen[str]:
    """Start a training in another process."""
    (folder / run).mkdir(exist_ok=True)
    command = [sys.executable, __file__, "--device", parsed.device, "--child", str(folder)]
    command += ["--run", run, "--steps", str(steps), *(["--small"] if parsed.small else [])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def weights_of(process: subprocess.Popen[str]) -> str:
    """Return the line of a training with the hash of its weights."""
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, f"a training ended with {process.returncode}"
    return output.splitlines()[-1]


def same_bytes(parsed: Namespace, folder: Path) -> str:
    """Compare two processes, and a third one that is killed between two states and resumed."""
    steps = 40 if parsed.small else 200
    processes = {run: in_a_process(parsed, folder, run, steps) for run in ("a", "b", "killed")}
    try:
        at = kill_after(processes["killed"], folder / "killed" / "states", steps // 4)
        first, again = (weights_of(processes[run]) for run in ("a", "b"))
        assert first == again, "two runs gave other bytes"
        rest = weights_of(in_a_process(parsed, folder, "killed", steps))
    finally:
        for process in processes.values():
            process.kill()
    assert rest == first, "a run that was killed and resumed gave other bytes"
    return f"twice, and killed after step {at} of {steps}"


def kill_after(process: subprocess.Popen[str], states: Path, step: int) -> int:
    """Kill a training when it has a state of this step or a later one, and return its step."""
    for _ in range(24000):
        found = [int(path.name[5:13]) for path in states.glob("step-*.ckpt")]
        if found and max(found) >= step:
            break
        assert process.poll() is None, "the training ended before it was killed"
        time.sleep(0.01)
    process.kill()
    process.wait()
    return max(int(path.name[5:13]) for path in states.glob("step-*.ckpt"))


def compiled_inference_is_eager(device: torch.device) -> str:
    """Compare the bytes of an image upscaled by a compiled and an eager network in bf16."""
    picture = from_array(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8))
    network = EDSR(scale=2, num_blocks=2)
    eager, compiled = (
        Tiling(TorchEngine(network, 2, str(device), "bf16", compile=compile_it)).upscale(picture)
        for compile_it in (False, True)
    )
    apart = np.abs(eager.astype(int) - compiled)
    details = f"{np.mean(apart > 0):.1%} of the values differ, by {apart.max()} of 255 at most"
    assert apart.max() <= 3, details
    return details


def tiles_are_the_whole(device: torch.device) -> str:
    """Compare the bytes of an image upscaled in batches of tiles and as a whole, in fp32."""
    picture = from_array(np.random.default_rng(0).integers(0, 256, (160, 400, 3), np.uint8))
    engine = TorchEngine(EDSR(scale=2, num_blocks=2), 2, str(device))
    whole, tiled = (Tiling(engine, tile=tile).upscale(picture) for tile in ("off", 64))
    apart = np.abs(whole.astype(int) - tiled)
    details = f"{np.mean(apart > 0):.1%} of the values differ, by {apart.max()} of 255 at most"
    assert apart.max() <= 1, details
    return details


DRNSR_COMMAND = (sys.executable, "-c", "from drnsr.cli import main; main()")


def command_runs(folder: Path, *command: str) -> str:
    """Run a command in a process of its own and return its last line."""
    path = [str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=150
    )
    lines = (result.stdout + result.stderr).strip().splitlines() or [""]
    assert result.returncode == 0, " | ".join(lines[-3:])
    return lines[-1][:80]


def command_checks(parsed: Namespace, folder: Path) -> dict[str, Callable[[], str]]:
    """Return checks that run upscale, evaluate and a training by command line."""
    for name, count in (("train", 4), ("test", 2)):
        (folder / name).mkdir()
        for number in range(count):
            random = np.random.default_rng(10 * number + len(name))
            pixels = random.integers(0, 256, (96, 120, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    shutil.copy(ROOT / "params.yaml", folder)
    device = ("--device", parsed.device)
    upscale = (*DRNSR_COMMAND, "upscale", "test", *device, "--tile", "64", "--out")
    training = (
        *(sys.executable, "-m", "pipelines.train", "run=own_data", "logger=none", "scale=2"),
        *("data=folder", "folder=train", "benchmark=folder", "benchmark_folder=test"),
        *("model.network.num_features=8", "model.network.num_blocks=1"),
        *("trainer.max_steps=20", "trainer.validate_every=10", "trainer.log_every=5"),
        *("datamodule.patch_size=16", "datamodule.workers=0"),
        f"trainer.accelerator={'gpu' if parsed.device == 'cuda' else parsed.device}",
    )
    evaluate = (
        *(*DRNSR_COMMAND, "evaluate", "drnsr-x2", "bicubic", "--scale", "2", *device),
        *("--benchmark", "folder", "--folder", "test", "--csv"),
    )
    return {
        "drnsr upscale, auto": lambda: command_runs(folder, *upscale, "auto"),
        "drnsr upscale, two processes": lambda: command_runs(
            folder, *upscale, "two", "--devices", f"{parsed.device},{parsed.device}"
        ),
        "drnsr upscale, fp32": lambda: command_runs(folder, *upscale, "a", "--precision", "fp32"),
        "drnsr upscale, bf16": lambda: command_runs(folder, *upscale, "b", "--precision", "bf16"),
        "drnsr upscale, compiled": lambda: command_runs(
            folder, *upscale, "c", "--precision", "bf16", "--compile"
        ),
        "drnsr evaluate": lambda: command_runs(folder, *evaluate),
        "pipelines.train": lambda: command_runs(folder, *training),
    }


def check_rows(parsed: Namespace, device: torch.device, folder: Path) -> list[Row]:
    """Run every check, even after one that failed."""
    dataset = noise(folder, side=120)
    commands = folder / "commands"
    commands.mkdir()
    checks: dict[str, Callable[[], str]] = {
        "compiled inference is eager": lambda: compiled_inference_is_eager(device),
        "tiles are the whole": lambda: tiles_are_the_whole(device),
        **command_checks(parsed, commands),
        "device crops are CPU crops": lambda: device_crops_are_cpu_crops(folder, dataset, device),
        "same bytes": lambda: same_bytes(parsed, folder),
        "compiled is eager": lambda: compiled_is_eager(folder, dataset, device),
    }
    rows: list[Row] = []
    for name, check in checks.items():
        began = time.perf_counter()
        try:
            rows.append({"check": name, "holds": "ok", "details": check()})
        except Exception as error:  # the other checks run too
            rows.append(
                {"check": name, "holds": "FAILED", "details": f"{type(error).__name__}: {error}"}
            )
        print(f"{name}: {rows[-1]['holds']}, {time.perf_counter() - began:.0f} s", flush=True)
    return rows


def options() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = arguments(__doc__)
    parser.add_argument("--device", default="cuda", help="a device of torch (default: %(default)s)")
    parser.add_argument("--small", action="store_true", help="tiny networks, a few steps")
    parser.add_argument("--only", choices=("steps", "pictures", "checks"), help="one part")
    for name, kind in (("child", Path), ("run", str), ("steps", int)):
        parser.add_argument(f"--{name}", type=kind, help="for the program's own processes")
    return parser


def main() -> None:
    """Measure, check, and print; exit with 1 if a check failed."""
    parsed = options().parse_args()
    device = torch.device(parsed.device)
    if parsed.child:
        child(parsed, device)
        return
    if device.type == "cuda":
        print(torch.cuda.get_device_name(device), "torch", torch.__version__)
    parts: dict[str, Callable[[Path], list[Row]]] = {
        "steps": lambda folder: pace_rows(parsed, device, folder),
        "pictures": lambda _: picture_rows(parsed, device),
        "checks": lambda folder: check_rows(parsed, device, folder),
    }
    rows: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as name:
        for part, measure in parts.items():
            if parsed.only in (None, part):
                folder = Path(name) / part
                folder.mkdir()
                rows[part] = measure(folder)
                show(rows[part], None)
    if parsed.json:
        parsed.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    if any(each["holds"] == "FAILED" for each in rows.get("checks", [])):
        sys.exit(1)


if __name__ == "__main__":
    main()
