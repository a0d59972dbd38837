"""The folder of a server's uploads and results, which is removed in any case."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from drnsr.signals import handle_signals

_PREFIX = "drnsr-demo-"
_LOCK = ".lock"


@contextmanager
def upload_folder() -> Iterator[Path]:
    """Yield a new folder, which is removed after the block; signals do not disturb that.

    A folder whose server was killed is removed first. The operating system releases the lock in it
    when the server ends, in whichever way.
    """
    folder, lock = _locked_folder()
    try:
        _remove_stale()
        yield folder
    finally:
        with handle_signals(_ignore):
            lock.release()
            shutil.rmtree(folder, ignore_errors=True)


def _locked_folder() -> tuple[Path, FileLock]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = FileLock(folder / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:  # another server took it for stale just now
            continue
        if (folder / _LOCK).exists():
            return folder, lock
        lock.release()


def _remove_stale() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if not _is_own(folder):
            continue
        lock = FileLock(folder / _LOCK)
        try:
            with lock.acquire(timeout=0):
                pass
        except (Timeout, OSError):
            continue
        shutil.rmtree(folder, ignore_errors=True)


def _is_own(folder: Path) -> bool:
    """Return whether this user made a folder; others can plant links where all can write."""
    if folder.is_symlink() or not (folder / _LOCK).is_file():
        return False
    return not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()


def _ignore(number: int) -> None:
    pass
