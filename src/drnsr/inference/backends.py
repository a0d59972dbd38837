"""Other programs than torch to run a model with, and which of them is the quickest here."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from drnsr.errors import UserError
from drnsr.inference.engine import Engine, check_precision
from drnsr.inference.exported import describe
from drnsr.inference.onnx_engine import OnnxEngine, check_cpu
from drnsr.networks import Network
from drnsr.networks.base import Precision

log = logging.getLogger("drnsr")

Backend = Literal["torch", "onnxruntime", "fastest"]

_SIDE = 64
_RUNS = 3


def in_onnxruntime(
    network: Network, file: Path, scale: int, device: str, precision: Precision
) -> OnnxEngine:
    """A network that onnxruntime runs, by an export that is gone with the process.

    Args:
        network: on the CPU.
        file: that it was loaded from.
        scale: one that it serves.
        device: "cpu".
        precision: fp32 or fp16.

    Raises:
        UserError: it cannot be exported, or onnxruntime not be had, on this device or at all.
    """
    from drnsr.inference.export import export_onnx

    check_cpu(device)
    check_precision(precision, "onnxruntime", ("fp32", "fp16"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_onnx(network, describe(network, scale, precision, file), path)
        return OnnxEngine(path)


def quickest(in_torch: Engine, other: Callable[[], Engine]) -> Engine:
    """The one that enlarges a small tile in the least time, which is told in one line.

    Args:
        in_torch: one that is there.
        other: makes the one in onnxruntime; where it cannot (a UserError), torch is taken.
    """
    try:
        exported = other()
    except UserError as error:
        log.info("backend: torch (no onnxruntime: %s)", error)
        return in_torch
    engines: dict[Backend, Engine] = {"torch": in_torch, "onnxruntime": exported}
    seconds = {name: _seconds(engine) for name, engine in engines.items()}
    best = min(seconds, key=lambda name: seconds[name])
    told = ", ".join(f"{name} {1000 * taken:.0f} ms" for name, taken in seconds.items())
    log.info("backend: %s (%d x %d pixels: %s)", best, _SIDE, _SIDE, told)
    return engines[best]


def _seconds(engine: Engine) -> float:
    """For one tile: the least of some runs, the first of which prepares what later ones reuse."""
    tile = np.full((1, engine.descriptor.channels, _SIDE, _SIDE), 0.5, np.float32)
    engine(tile)
    taken = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        engine(tile)
        taken.append(time.perf_counter() - start)
    return min(taken)
