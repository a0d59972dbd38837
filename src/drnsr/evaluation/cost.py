"""The cost of a network: parameters, operations, time and memory.

Run as a program, it is the process whose memory is measured: see :func:`peak_memory`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

import numpy as np
import torch

from drnsr.errors import UserError
from drnsr.images.picture import Picture, from_array
from drnsr.inference.engine import TorchEngine
from drnsr.inference.precision import PrecisionChoice
from drnsr.inference.tiling import Tiling
from drnsr.networks import Network
from drnsr.networks.drnsr import DRNSR
from drnsr.networks.size import multiply_adds_per_megapixel, parameter_count
from drnsr.weights.native import Origin, load_model, save_model

_SIDE = 256  # of the picture that is upscaled, in LR pixels
_RUNS, _SECONDS = 3, 10.0  # the fastest run counts; fewer runs if they take longer


@dataclass(frozen=True)
class Cost:
    """The cost of a network; time and memory are those of this machine.

    :data:`drnsr.training.scalars.MODEL_COSTS` says how each is shown.

    Attributes:
        parameters: the number of trained parameters.
        multiply_adds_per_megapixel: of output, in billions.
        seconds_per_megapixel: of output.
        peak_memory_mib: of a fresh process that upscales one picture of 256 x 256 LR pixels, with
            the interpreter and torch; on a CUDA device, of its tensors. None if neither the system
            (Linux) nor the device (CUDA) reports it.
    """

    parameters: int
    multiply_adds_per_megapixel: float
    seconds_per_megapixel: float
    peak_memory_mib: float | None


class CostError(UserError):
    """The cost of a network cannot be measured on this machine."""


def measure_cost(
    network: Network, scale: int, device: str, precision: PrecisionChoice = "fp32"
) -> Cost:
    """Measure the parameters, operations, time and memory of a network at a scale.

    Raises:
        CostError: if the process that measures the memory is ended, perhaps for lack of memory.
    """
    return Cost(
        parameters=parameter_count(network),
        multiply_adds_per_megapixel=multiply_adds_per_megapixel(network, scale),
        seconds_per_megapixel=seconds_per_megapixel(network, scale, device, precision),
        peak_memory_mib=peak_memory(network, scale, device, precision),
    )


def reference_network(scale: int) -> Network:
    """Return the network of :data:`drnsr.evaluation.published.REFERENCE`, with random weights."""
    network: Network = DRNSR(scale=scale, num_features=48, num_blocks=7).eval()
    return network


def seconds_per_megapixel(
    network: Network, scale: int, device: str, precision: PrecisionChoice = "fp32"
) -> float:
    """Measure the seconds for a megapixel of output, those of the fastest of a few runs."""
    tiling = Tiling(TorchEngine(network, scale, device, precision), tile="off")
    seconds: list[float] = []
    while len(seconds) < _RUNS and sum(seconds) < _SECONDS:  # the first also warms up
        start = time.perf_counter()
        tiling.upscale(_picture(network))
        seconds.append(time.perf_counter() - start)
    return min(seconds) / _megapixels(_SIDE * scale)


def peak_memory(
    network: Network, scale: int, device: str, precision: PrecisionChoice
) -> float | None:
    """Measure in a separate process, because the peak of this one may come from earlier work.

    The process is not one of multiprocessing, which a daemon must not start, and whose helper
    processes end the pool of a joblib worker.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.safetensors"
        save_model(model, network, Origin())
        threads, module = str(torch.get_num_threads()), type(network).__module__
        arguments = [str(model), str(scale), device, precision, threads, module]
        ended = subprocess.run(
            [sys.executable, "-m", "drnsr.evaluation.cost", *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
        )
    if ended.returncode:
        reason = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise CostError(
            f"the process that measures a model's memory ended with code {ended.returncode}:"
            f" {reason}"
        )
    peak: float | None = json.loads(ended.stdout)
    return peak


def _peak_of_this_process(
    model: Path, scale: int, device: str, precision: PrecisionChoice, threads: int
) -> float | None:
    torch.set_num_threads(threads)
    network = load_model(model)
    Tiling(TorchEngine(network, scale, device, precision), tile="off").upscale(_picture(network))
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    status = Path("/proc/self/status")
    if device != "cpu" or not status.is_file():
        return None
    peak = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii"))
    return int(peak[1]) / 1024 if peak else None


def _picture(network: Network) -> Picture:
    """Return a black picture of the kind that a network was trained on."""
    pixels = network.pixels
    return from_array(np.zeros((_SIDE, _SIDE, pixels.channels), pixels.dtype), pixels.layout)


def _megapixels(side: int) -> float:
    return side**2 / 1e6


if __name__ == "__main__":
    model, scale, device, precision, threads, module = sys.argv[1:]
    import_module(module)  # a network of a project's own
    choice = cast(PrecisionChoice, precision)
    print(json.dumps(_peak_of_this_process(Path(model), int(scale), device, choice, int(threads))))
