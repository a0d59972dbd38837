"""Every command of the README is run: here, or by .ci/run."""

import json
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
# These have tests of their own below; the UI does not end by itself.
THE_UI = ["make ui"]
(EXPERIMENTS,) = (block for block in BLOCKS if "dvc queue start" in block)


def test_ci_runs_what_makes_the_environment():
    lines = (PROJECT / ".ci" / "run").read_text().splitlines()
    called = {f"make {word}" for line in lines if line.startswith("make ") for word in line.split()}
    assert called >= set(BY_CI)
    assert BY_CI in BLOCKS
    assert THE_UI in BLOCKS


@pytest.fixture
def used(another):
    """A finished and committed project in which the README is followed, with narrow networks."""
    for picture in sorted((another.root / "data/raw/train").rglob("*.png"))[:3]:
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
    "block",
    [block for block in BLOCKS if block not in (BY_CI, THE_UI, EXPERIMENTS)],
    ids=lambda block: block[0],
)
def test_the_commands_of_each_block_succeed_one_after_the_other(used, block):
    for command in block:
        used.run("bash", "-c", command)


@pytest.mark.slow
def test_experiments_run_and_queue_and_come_back_from_the_cache(used):
    present, *commands, back = EXPERIMENTS
    used.run("bash", "-c", present)
    used.run("git", "commit", "-qam", "with narrow networks")
    for command in commands:
        result = used.run("bash", "-c", f"COLUMNS=100 {command}")
        printed = result.stdout
        if "scale=4" in command:
            assert used.ran(result) == ["config", "train", "evaluate", "verify", "report"]
        if command.startswith("dvc exp show"):
            assert_readable(printed)
        if command == "dvc queue start":
            used.wait_for_the_queue()
    result = used.run("bash", "-c", back)
    assert used.ran(result) == ["config"]
    assert used.run("git", "status", "--short").stdout == ""

    shown = json.loads(used.run("dvc", "exp", "show", "--json").stdout)
    made = {}
    for experiment in shown[1]["experiments"]:
        params = experiment["revs"][0]["data"]["params"]["resolved.yaml"]["data"]
        chosen = params["model"]["name"], params["scale"], params["trainer"]["max_steps"]
        made[chosen] = experiment["name"]
    assert ("drnsr", 4, 100) in made
    used.run("dvc", "exp", "apply", made["edsr_baseline", 4, 20])
    assert used.ran(used.run("dvc", "repro")) == []
    assert "edsr_baseline" in (used.root / "reports/index.html").read_text()


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
