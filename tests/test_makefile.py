"""What `make install` prints: one line, or what is needed."""

import os
import shutil
import subprocess

import pytest

from tests.conftest import PROJECT

# Stands for Python: the argument that it fails at is in the file `fails` beside it.
PYTHON = """#!/bin/sh
case "$*" in *"$(cat "$(dirname "$0")/fails")"*) exit 1;; esac
if [ "$2" = venv ]; then mkdir -p .venv/bin && cp -p "$0" "$(dirname "$0")/fails" .venv/bin; fi
"""


@pytest.fixture
def install(tmp_path):
    """Run `make install` with a Python that fails at something."""
    for name in ("Makefile", "project.mk", "pyproject.toml", "setup.py", "constraints.txt"):
        shutil.copyfile(PROJECT / name, tmp_path / name)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)

    def run(fails, name=python):
        (tmp_path / "fails").write_text(fails)
        command = ["make", "install", f"PYTHON={name}"]
        # `make test` would make it a make within a make, which says so.
        outside = {key: os.environ[key] for key in os.environ.keys() - {"MAKELEVEL", "MAKEFLAGS"}}
        return subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True)

    return run


@pytest.mark.parametrize(
    ("fails", "message"),
    [
        ("version_info", "is too old; name one of 3.11 to 3.13: make install PYTHON=..."),
        ("-m venv", "makes no environment; on Debian: apt-get install python3-venv"),
        ("-m pip", "the installation needs the package registry and 8 GB of disk; see above"),
    ],
)
def test_a_failure_says_what_is_needed(install, tmp_path, fails, message):
    ended = install(fails)
    assert ended.returncode != 0
    assert message in ended.stderr
    assert not (tmp_path / ".venv/bin/.installed").exists()


def test_it_prints_one_line_and_nothing_the_second_time(install):
    assert "there is no nopython; install Python 3.11" in install("x", "nopython").stderr
    ended = install("nothing")
    assert (ended.returncode, ended.stderr) == (0, "")
    line = "installing the pinned packages into .venv; this takes a few minutes\n"
    assert ended.stdout == line
    assert "installing" not in install("nothing").stdout
