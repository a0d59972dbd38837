"""Every command of the README is run: here, or by .ci/run."""

import re
import shutil
import subprocess
import time
from urllib.request import urlopen

import pytest

from tests.conftest import PROJECT, free_port

README = (PROJECT / "README.md").read_text()
BLOCKS = [
    [line.split("  #")[0].strip() for line in block.splitlines()]
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
]
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
# These make the environment, which CI does from nothing.
BY_CI = ["make repro", "make test"]
# It does not end by itself, and has a test of its own below.
THE_UI = ["make ui"]


def test_ci_runs_what_makes_the_environment():
    called = (PROJECT / ".ci" / "run").read_text().splitlines()
    assert set(called) >= set(BY_CI)
    assert BY_CI in BLOCKS
    assert THE_UI in BLOCKS


@pytest.fixture
def used(another):
    """A finished and committed project in which the README is followed, with narrow networks."""
    for picture in sorted((another.root / "data/raw/train").rglob("*.png")):
        shutil.copy(picture, another.root / "data/own")
    for name, wide in (("edsr_baseline", "num_features: 64"), ("drnsr", "num_features: 32")):
        conf = another.root / f"conf/model/{name}.yaml"
        assert wide in conf.read_text()
        conf.write_text(conf.read_text().replace(wide, "num_features: 8"))
    another.run("git", "add", "-A")
    another.run("git", "commit", "-qm", "finished")
    return another


@pytest.mark.slow
@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block not in (BY_CI, THE_UI)], ids=lambda block: block[0]
)
def test_the_commands_of_each_block_succeed_one_after_the_other(used, block):
    for command in block:
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
def test_the_programs(another, program):
    another.run("python", "-c", program)
    assert (another.root / "enlarged.png").is_file()


@pytest.mark.slow
def test_the_ui_answers_on_the_loopback_address(another):
    port = free_port()
    # `-o install`: the environment of this test is the one to use.
    server = subprocess.Popen(
        ["make", "-o", "install", "ui", f"PORT={port}"],
        cwd=another.root,
        env=another.environment,
        process_group=0,
    )
    try:
        assert b"<html" in page(f"http://127.0.0.1:{port}/")
    finally:
        subprocess.run(["kill", "--", f"-{server.pid}"], check=True)
        server.wait()


def page(url):
    """The page at ``url``, once the server has started."""
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
