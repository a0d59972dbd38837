"""Checks of the devices and of the disk."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from drnsr.doctor.finding import Finding, Level
from drnsr.project import project_root

_GIB = 2**30
_MIB = 2**20

# Free bytes below which a training on the smallest data set ends early, or on others may.
_TOO_LITTLE, _LITTLE = _GIB // 2, 5 * _GIB


def check_devices() -> Iterator[Finding]:
    """Look at the GPUs and the CPU as torch sees them."""
    import torch

    from drnsr.device import has_bf16, resolve_device

    device = resolve_device("auto")
    for number in range(torch.cuda.device_count() if device == "cuda" else 0):
        properties = torch.cuda.get_device_properties(number)
        precision = "bf16" if has_bf16(f"cuda:{number}") else "no bf16, trains in fp32"
        memory = properties.total_memory / _GIB
        yield Finding("ok", "GPU", f"{properties.name}, {memory:.0f} GiB, {precision}")
    if device == "mps":
        yield Finding("ok", "GPU", "the Mac's; trains in fp32")
    if device == "cpu" and shutil.which("nvidia-smi"):
        yield Finding(
            "note",
            "GPU",
            f"there is an NVIDIA driver, and torch {torch.__version__} cannot use it",
            "install a torch for its CUDA version, from torch's own index",
        )
    precision = "bf16" if has_bf16("cpu") else "no fast bf16, trains in fp32"
    threads, cores = torch.get_num_threads(), _cores()
    yield Finding("ok", "CPU", f"{cores} cores for this process, {threads} threads, {precision}")
    if threads > cores:
        yield Finding(
            "note",
            "CPU",
            f"{threads} threads share {cores} cores",
            f"set OMP_NUM_THREADS={cores} and trainer.threads: {cores}",
        )


def _cores() -> int:
    """Return how many cores this process may use; a container may have fewer than the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores or 1, int(quota) // int(period)))
    except (OSError, ValueError):  # not Linux, or no limit
        return cores or 1


def check_disk() -> Iterator[Finding]:
    """Write to the folders that are written to, and look at how much space they have."""
    for about, folder in (("this folder", project_root()), ("temporary", tempfile.gettempdir())):
        yield _check_folder(about, Path(folder))


def _check_folder(about: str, folder: Path) -> Finding:
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(bytes(_MIB))
            file.flush()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        text = f"{folder}: cannot be written: {error.strerror}"
        advice = "free some of the disk, or go to a folder of your own"
        return Finding("error", about, text, advice)
    text = f"{folder}: {free / _GIB:.1f} GiB free"
    if free < _LITTLE:
        level: Level = "error" if free < _TOO_LITTLE else "note"
        return Finding(level, about, text, "free some of the disk; `drnsr gc` removes old states")
    return Finding("ok", about, text)
