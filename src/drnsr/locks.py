"""Folders that one process at a time writes to."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from drnsr.errors import UserError

_LOCK = ".lock"
_OWNED: dict[Path, FileLock] = {}


class BusyError(UserError):
    """Two processes would write to one folder."""


@contextmanager
def sole_process(folder: Path) -> Iterator[None]:
    """Keep the folder of a run's states to one process; the lock ends with it, however it ends.

    Raises:
        BusyError: another process is at work there.
    """
    lock = _acquire(folder, "another process trains this very run; wait for it, or end it first")
    try:
        yield
    finally:
        lock.release()


def own_folder(folder: Path) -> None:
    """Keep a folder to this process until it ends; what it owns already is its own.

    Raises:
        BusyError: another process owns it.
        OSError: the folder cannot be made.
    """
    place = folder.resolve()
    if place not in _OWNED:
        told = "another process writes there; wait for it, or choose another folder (hydra.run.dir)"
        _OWNED[place] = _acquire(folder, told)


class OwnFolder(Callback):
    """Keeps the folder of a run or a sweep to its process, before Hydra writes there itself."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401 (Hydra's)
        """Own the run's folder, or leave."""
        _own_or_leave(config.hydra.run.dir)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401
        """Own the sweep's folder, or leave."""
        _own_or_leave(config.hydra.sweep.dir)


def _own_or_leave(folder: str) -> None:
    """Leave the program where another process owns a folder.

    Of what a callback raises, Hydra makes a warning; only the end of the program goes through. A
    folder that cannot be made is told of when Hydra makes it.
    """
    with suppress(OSError):
        try:
            own_folder(Path(folder))
        except BusyError as error:
            sys.exit(f"error: {error}")


def _acquire(folder: Path, told: str) -> FileLock:
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(f"{folder}: {told}") from None
    return lock
