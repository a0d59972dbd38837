"""Uploads are removed, also those of a server that was killed."""

import os
import signal
import subprocess
import sys
import tempfile

from drnsr.demo.upload_folder import upload_folder


def test_the_uploads_of_a_killed_server_are_removed_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    program = """import os, signal
from drnsr.demo.upload_folder import upload_folder
with upload_folder() as folder:
    (folder / "upload.png").touch()
    os.kill(os.getpid(), signal.SIGKILL)"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    [stale] = tmp_path.iterdir()
    assert (stale / "upload.png").exists()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / ".lock").touch()
    (tmp_path / "drnsr-demo-planted").symlink_to(precious)
    (tmp_path / "drnsr-demo-without-lock").mkdir()
    with upload_folder() as live, upload_folder() as other:
        assert live.is_dir()
        assert other.is_dir()
        assert not stale.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("drnsr-demo-planted", "drnsr-demo-without-lock", "precious")
    ]
    assert (precious / ".lock").exists()


def test_a_second_signal_does_not_disturb_the_removal(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    removed = []

    def remove(folder, **_):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        removed.append(folder)

    with upload_folder() as folder:
        monkeypatch.setattr("shutil.rmtree", remove)
    assert removed == [folder]
