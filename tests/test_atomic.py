import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from drnsr.atomic import (
    atomic_folder,
    atomic_path,
    naming_file,
    partial_path,
    temporary_folder,
    write_text,
)

# Fills a folder, and is killed before it is complete.
KILLED = """
import os, signal, sys
from pathlib import Path
from drnsr import atomic
with getattr(atomic, sys.argv[1])(Path(sys.argv[2])) as folder:
    (folder / "half").write_text("")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "result.json"
    write_text(target, "old")

    def fill_the_disk():
        with atomic_path(target) as partial:
            partial.write_text("half of the n")
            raise OSError(errno.ENOSPC, "No space left on device", str(target))

    with pytest.raises(OSError, match="No space left"):
        fill_the_disk()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["result.json"]


def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, small_disk):
    target = tmp_path / "result.json"
    write_text(target, "old")
    with pytest.raises(OSError, match="File too large") as caught:
        write_text(target, "x" * 60_000)
    assert caught.value.filename == str(target)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["result.json"]


def test_a_full_disk_is_named_and_not_a_temporary_file_of_a_library(tmp_path, monkeypatch):
    free = {tmp_path: 10, Path(tempfile.gettempdir()): 20}
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free[folder]))
    for least, name in ((10, tmp_path / "a.ckpt"), (30, Path(tempfile.gettempdir()))):
        free[tmp_path] = least
        with pytest.raises(OSError, match="No space left") as caught:  # noqa: SIM117
            with naming_file(tmp_path / "a.ckpt"):
                raise OSError(errno.ENOSPC, "", "/tmp/a1b2c3")
        assert caught.value.filename == str(name)


def test_text_is_utf8_with_unix_line_ends(tmp_path):
    write_text(tmp_path / "a" / "b.txt", "Häggström\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "Häggström\n".encode()


def test_a_complete_folder_replaces_the_old_one(tmp_path):
    target = tmp_path / "pictures"
    for name in ("old", "new"):
        with atomic_folder(target) as folder:
            (folder / name).write_text("")
            assert name == "old" or names(target) == ["old"]
    assert names(target) == ["new"]
    assert names(tmp_path) == ["pictures"]


def test_a_folder_that_is_not_completed_leaves_the_old_one_and_nothing_else(tmp_path):
    target = tmp_path / "pictures"
    with atomic_folder(target) as folder:
        (folder / "old").write_text("")
    with pytest.raises(ZeroDivisionError), atomic_folder(target) as folder:
        (folder / "new").write_text(str(1 / 0))
    assert names(target) == ["old"]
    assert names(tmp_path) == ["pictures"]


@pytest.mark.parametrize("manager", [atomic_folder, temporary_folder])
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path, manager):
    target = tmp_path / "pictures"
    command = [sys.executable, "-c", KILLED, manager.__name__, str(target)]
    assert subprocess.run(command).returncode == -9
    (leftover,) = tmp_path.iterdir()
    assert names(leftover) == ["half"]
    running = partial_path(target, str(os.getppid()))
    another = partial_path(tmp_path / "others", leftover.name.split(".")[1])
    for folder in (running, another):
        folder.mkdir()
    with manager(target) as folder:
        (folder / "whole").write_text("")
        assert not leftover.exists()
    kept = {running.name, another.name}
    assert set(names(tmp_path)) == kept | ({"pictures"} if manager is atomic_folder else set())


def test_a_process_of_another_machine_is_not_taken_for_one_of_this(tmp_path, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "another")
    dead_here = partial_path(tmp_path / "pictures", "4194304")  # above the largest process number
    dead_here.mkdir()
    monkeypatch.undo()
    with temporary_folder(tmp_path / "pictures"):
        pass
    assert dead_here.is_dir()
