"""Locks between processes, shown with processes."""

import subprocess
import sys

import pytest

from drnsr.locks import LockedError, folder_lock, lock_until_exit

LOCK = "import sys; from pathlib import Path; from drnsr.locks import lock_until_exit;"
LOCK += "lock_until_exit(Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()"


def test_one_folder_is_for_one_process(tmp_path):
    with (
        folder_lock(tmp_path),
        pytest.raises(LockedError, match="another process"),
        folder_lock(tmp_path),
    ):
        pass
    with folder_lock(tmp_path):
        pass


def test_a_lock_is_released_when_its_process_ends(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", LOCK, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(LockedError, match="run: another process writes there"):
            lock_until_exit(tmp_path / "run")
    finally:
        holder.kill()
        holder.communicate()
    lock_until_exit(tmp_path / "run")
    lock_until_exit(tmp_path / "run")  # this process has it already
