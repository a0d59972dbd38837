"""One folder, one process: shown with processes."""

import subprocess
import sys

import pytest

from drnsr.locks import BusyError, own_folder, sole_process

OWN = "import sys; from pathlib import Path; from drnsr.locks import own_folder;"
OWN += "own_folder(Path(sys.argv[1])); print('mine', flush=True); sys.stdin.read()"


def test_one_folder_is_for_one_process(tmp_path):
    with (
        sole_process(tmp_path),
        pytest.raises(BusyError, match="another process"),
        sole_process(tmp_path),
    ):
        pass
    with sole_process(tmp_path):
        pass


def test_an_owned_folder_is_free_again_when_its_process_has_ended(tmp_path):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWN, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert owner.stdout.readline() == b"mine\n"
        with pytest.raises(BusyError, match="run: another process writes there"):
            own_folder(tmp_path / "run")
    finally:
        owner.kill()
        owner.communicate()
    own_folder(tmp_path / "run")
    own_folder(tmp_path / "run")  # what is owned already is no one else's
