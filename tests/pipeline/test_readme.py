"""Every command of the README is run: here, or by .ci/run."""

import re
import shutil
import socket
import subprocess
import time
from urllib.request import urlopen

import pytest

from tests.conftest import PROJECT

README = (PROJECT / "README.md").read_text()
COMMANDS = [
    line.split("  #")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
# These make the environment, which CI does from nothing; the UI is called below, for it stays.
BY_CI = {"make repro", "make test"}
BY_ANOTHER_TEST = {"make ui"}


def test_ci_runs_what_makes_the_environment():
    called = (PROJECT / ".ci" / "run").read_text().splitlines()
    assert set(called) >= BY_CI


@pytest.fixture(scope="module")
def used(finished, tmp_path_factory):
    """A finished and committed project in which the README is followed."""
    root = tmp_path_factory.mktemp("used") / "project"
    shutil.copytree(finished.root, root)
    project = type(finished)(root, finished.environment)
    for picture in sorted((root / "data/raw/train").rglob("*.png")):
        shutil.copy(picture, root / "data/own")
    narrow = root / "conf/model/edsr_baseline.yaml"  # of which the commands train and measure four
    narrow.write_text(narrow.read_text().replace("num_features: 64", "num_features: 8"))
    project.run("git", "add", "-A")
    project.run("git", "commit", "-qm", "finished")
    return project


@pytest.mark.slow
def test_the_commands(used):
    for command in COMMANDS:
        if command not in BY_CI | BY_ANOTHER_TEST:
            printed = used.run("bash", "-c", f"COLUMNS=100 {command}").stdout
            if command.startswith("dvc exp show"):
                assert_readable(printed)
            if command == "dvc queue start":
                used.wait_for_the_queue()


def assert_readable(table):
    """Every column is there, in full, on a terminal of 100 characters."""
    assert max(map(len, table.splitlines())) <= 100
    assert "…" not in table
    for text in ("sample_test.gain.psnr", "model", "params.yaml:scale", "edsr_baseline"):
        assert text in table


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_the_programs(finished, program):
    finished.run("python", "-c", program)
    assert (finished.root / "enlarged.png").is_file()
    (finished.root / "enlarged.png").unlink()


@pytest.mark.slow
def test_the_ui_answers_on_the_loopback_address(finished):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # `-o install`: the environment of this test is the one to use.
    server = subprocess.Popen(
        ["make", "-o", "install", "ui", f"PORT={port}"],
        cwd=finished.root,
        env=finished.environment,
        process_group=0,
    )
    try:
        assert b"<html" in _page(f"http://127.0.0.1:{port}/")
    finally:
        subprocess.run(["kill", "--", f"-{server.pid}"], check=True)
        server.wait()


def _page(url):
    for _ in range(90):
        try:
            with urlopen(url, timeout=5) as answer:
                return answer.read()
        except OSError:
            time.sleep(1)
    raise AssertionError(f"{url} did not answer")


def test_make_help_lists_the_commands():
    printed = subprocess.run(
        ["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    for name in ("repro", "mirror", "test", "lint", "ui", "clean"):
        assert f"make {name}" in printed
