"""Backends: run a model with onnxruntime, or with the faster one of torch and onnxruntime."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from drnsr.errors import UserError
from drnsr.inference.engine import Engine, check_precision
from drnsr.inference.export_info import make_export_info
from drnsr.inference.onnx_engine import OnnxEngine, check_cpu
from drnsr.networks import Network
from drnsr.networks.base import Precision

log = logging.getLogger("drnsr")

Backend = Literal["torch", "onnxruntime", "fastest"]

_TILE = 64  # pixels
_RUNS = 3


def onnxruntime_engine(
    network: Network, file: Path, scale: int, device: str, precision: Precision
) -> OnnxEngine:
    """Export a network to a temporary ONNX file and load it into onnxruntime.

    Args:
        network: a network on the CPU.
        file: the model file that it was loaded from.
        scale: one of its scales.
        device: "cpu".
        precision: fp32 or fp16.

    Raises:
        UserError: the network cannot be exported, onnxruntime is not installed, or it does not
            support the device or precision.
    """
    from drnsr.inference.export import export_onnx

    check_cpu(device)
    check_precision(precision, "onnxruntime", ("fp32", "fp16"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_onnx(network, make_export_info(network, scale, precision, file), path)
        return OnnxEngine(path)


def fastest_engine(torch_engine: Engine, make_other: Callable[[], Engine]) -> Engine:
    """Return the engine that upscales a small tile in less time, and log the times.

    Args:
        torch_engine: the torch engine.
        make_other: makes the onnxruntime engine. If it raises UserError, torch is chosen.
    """
    try:
        other = make_other()
    except UserError as error:
        log.info("backend: torch (no onnxruntime: %s)", error)
        return torch_engine
    engines: dict[Backend, Engine] = {"torch": torch_engine, "onnxruntime": other}
    seconds = {name: _measure_seconds(engine) for name, engine in engines.items()}
    fastest = min(seconds, key=lambda name: seconds[name])
    times = ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in seconds.items())
    log.info("backend: %s (%d x %d pixels: %s)", fastest, _TILE, _TILE, times)
    return engines[fastest]


def _measure_seconds(engine: Engine) -> float:
    """Return the least time for a tile over several runs, after one run to warm up."""
    tile = np.full((1, engine.descriptor.channels, _TILE, _TILE), 0.5, np.float32)
    engine(tile)
    seconds = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        engine(tile)
        seconds.append(time.perf_counter() - start)
    return min(seconds)
