"""Locks on folders, so that only one process at a time writes there."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from drnsr.errors import UserError

log = logging.getLogger("drnsr")

_NAME = ".lock"
_HELD: dict[Path, FileLock] = {}


class LockedError(UserError):
    """Another process writes to a folder."""


@contextmanager
def folder_lock(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Lock the folder of a training while the block runs.

    The operating system releases the lock when the process ends, in whichever way.

    Args:
        folder: the folder, which is made if it is missing.
        wait: whether to wait for another process that has the lock.

    Raises:
        LockedError: if another process has the lock.
    """
    try:
        lock = _acquire(
            folder, "another process trains this very run; wait for it, or end it first"
        )
    except LockedError:
        if not wait:
            raise
        log.info("another process trains this very run: waiting for it (%s)", folder)
        lock = FileLock(folder / _NAME)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def lock_until_exit(folder: Path) -> None:
    """Lock a folder until this process ends; a second call changes nothing.

    Raises:
        LockedError: if another process has the lock.
        OSError: if the folder cannot be made.
    """
    place = folder.resolve()
    if place not in _HELD:
        remedy = (
            "another process writes there; wait for it, or choose another folder (hydra.run.dir)"
        )
        _HELD[place] = _acquire(folder, remedy)


class LockOutputFolder(Callback):
    """A Hydra callback that locks the folder of a run or sweep before Hydra writes there."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401 (Hydra's)
        """Lock the folder of a run, or exit."""
        _lock_or_exit(config.hydra.run.dir)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401
        """Lock the folder of a sweep, or exit."""
        _lock_or_exit(config.hydra.sweep.dir)


def _lock_or_exit(folder: str) -> None:
    """Lock a folder; exit if another process has the lock.

    Hydra turns any error of a callback into a warning; only SystemExit passes. A folder that cannot
    be made is left to Hydra, which reports it.
    """
    with suppress(OSError):
        try:
            lock_until_exit(Path(folder))
        except LockedError as error:
            sys.exit(f"error: {error}")


def _acquire(folder: Path, remedy: str) -> FileLock:
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _NAME)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LockedError(f"{folder}: {remedy}") from None
    return lock
