"""How the jobs of sweeps that run at once on one machine share its GPUs and cores."""

import logging
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import OmegaConf

log = logging.getLogger("drnsr")

_VISIBLE = "CUDA_VISIBLE_DEVICES"
LOCAL_LAUNCHERS = ("joblib", "submitit_local")
"""Hydra's launchers that run the jobs of a sweep at once on this machine."""
_LONGEST_PAUSE = 1.0  # seconds between two looks for a free share


def gpus(accelerator: str) -> list[str]:
    """Return the GPUs that this process may use, by their names in ``CUDA_VISIBLE_DEVICES``."""
    import torch

    if accelerator not in ("auto", "gpu", "cuda"):
        return []
    names = list(filter(None, os.environ.get(_VISIBLE, "").split(",")))
    count = torch.cuda.device_count()  # initializes none, so that a job may still choose
    return names[:count] if names else [str(number) for number in range(count)]


def jobs_at_once(accelerator: str, threads: int) -> int:
    """Return how many jobs have a GPU, or as many cores as threads, of their own; at least one."""
    return len(gpus(accelerator)) or max(1, (os.cpu_count() or 1) // threads)


# For the files of conf/launcher.
for _name, _function in (
    ("jobs_at_once", jobs_at_once),
    ("gpus", lambda accelerator: len(gpus(accelerator))),
    ("gpus_per_job", lambda accelerator, devices: 0 if accelerator == "cpu" else devices),
):
    OmegaConf.register_new_resolver(_name, _function, replace=True)


@contextmanager
def own_share(launcher: str, accelerator: str, threads: int, devices: int) -> Iterator[None]:
    """Wait until a job can have GPUs, or cores, that no other job on this machine has.

    Afterwards the block sees its own GPUs only. What a killed job had is free again at once.

    Args:
        launcher: Hydra's name of it; the others run one job at a time, or ask a scheduler.
        accelerator: see the group ``trainer``.
        threads: number of threads of the job.
        devices: number of processes of the job, each with a GPU of its own.
    """
    if launcher not in LOCAL_LAUNCHERS:
        yield
        return
    names = gpus(accelerator)
    total = len(names) or jobs_at_once(accelerator, threads)
    taken = _take(
        min(devices, total) if names else 1,
        names or list(map(str, range(total))),
        "GPUs" if names else "cores",
    )
    before = os.environ.get(_VISIBLE)
    try:
        if names:
            os.environ[_VISIBLE] = ",".join(taken)
        yield
    finally:
        for lock in taken.values():
            lock.release()
        if names and before is None:
            del os.environ[_VISIBLE]
        elif names and before is not None:
            os.environ[_VISIBLE] = before


def _take(wanted: int, names: list[str], kind: str) -> dict[str, FileLock]:
    """Lock ``wanted`` of the names, all or none; wait until they are free."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"drnsr-shares-{user}"
    folder.mkdir(exist_ok=True)
    told = False
    while True:
        taken: dict[str, FileLock] = {}
        for name in names:
            lock = FileLock(folder / f"{name.replace('/', '_')}-of-{len(names)}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            taken[name] = lock
            if len(taken) == wanted:
                return taken
        for lock in taken.values():
            lock.release()
        if not told:
            log.info("waiting: other jobs of yours on this machine use its %s", kind)
            told = True
        time.sleep(random.uniform(0.1, _LONGEST_PAUSE))
