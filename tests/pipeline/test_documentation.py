"""Every block of code in the documentation is run or checked: `pages` says which how."""

import json
import re
import shlex
import subprocess
import sys
import time
import tomllib
from urllib.request import urlopen

import pytest
import yaml

from docs.generate import architecture, commands, configuration
from tests.conftest import PROJECT, free_port
from tests.pipeline.checked_commands import check
from tests.pipeline.pages import BLOCKS, LANGUAGES

# These make the environment, which CI does from nothing.
BY_CI = ["make repro", "make test"]
# Its commands have a test of their own.
(EXPERIMENTS,) = (block for block in BLOCKS if "dvc queue start\n" in block.content)
RUN = [
    block
    for block in BLOCKS
    if block.language in ("bash", "python")
    and block != EXPERIMENTS
    and (block.page, block.commands()) != ("README.md", BY_CI)
]
CHECKED = [block for block in BLOCKS if block.language == "sh"]


def test_every_block_has_a_language_that_says_how_it_is_tested():
    for block in BLOCKS:
        assert block.language in LANGUAGES, f"{block}: {block.language!r}"
        if block.language == "yaml":
            assert yaml.safe_load(block.content), block
        if block.language == "toml":
            assert tomllib.loads(block.content), block
        if block.language == "json":
            assert json.loads(block.content), block


@pytest.mark.parametrize("block", CHECKED, ids=str)
def test_the_commands_that_are_not_run_exist_with_their_options(block):
    for command in block.commands():
        check(command, composed=False)


@pytest.mark.slow
def test_the_commands_that_are_not_run_choose_what_exists():
    for block in CHECKED:
        for command in block.commands():
            try:
                check(command, composed=True)
            except Exception as error:
                raise AssertionError(f"{block}: {command}") from error


def test_each_key_of_the_configuration_has_a_meaning():
    assert [key for key, meaning in configuration.meanings() if not meaning] == []


def test_the_reference_of_a_key_has_its_default_and_limits():
    (row,) = [row for row in configuration.page().splitlines() if "`trainer.ema_decay`" in row]
    _, _, default, values, meaning, _ = row.split("|")
    assert default.strip() == "`0.99`"  # in conf/trainer/default.yaml
    assert values.strip() == "number, 0 or more, less than 1"
    assert meaning.startswith(" decay of the moving average of the weights, per step;")


def test_the_reference_has_every_option_of_a_command():
    page = commands.page()
    section = page.split("### drnsr upscale\n")[1].split("\n### ")[0]
    printed = subprocess.run(
        [sys.executable, "-c", "import drnsr.cli; drnsr.cli.main()", "upscale", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    options = set(re.findall(r"^  (--[a-z-]+)", printed, re.MULTILINE))
    assert options
    for option in options:
        assert f"| `{option}" in section


def test_the_drawing_of_the_architecture_is_that_of_the_code():
    redraw = "python -m docs.generate.architecture draws it anew"
    assert architecture.DRAWING.read_text() == architecture.draw(), redraw


def test_ci_runs_what_makes_the_environment():
    lines = (PROJECT / ".ci" / "run").read_text().splitlines()
    called = {f"make {word}" for line in lines if line.startswith("make ") for word in line.split()}
    assert called >= set(BY_CI)
    assert BY_CI in [block.commands() for block in BLOCKS if block.page == "README.md"]


@pytest.fixture
def used(another):
    """A finished and committed project in which a page is followed; its choice is `smoke`."""
    another.run("git", "add", "-A")
    another.run("git", "commit", "-qm", "finished")
    return another


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({block.page for block in RUN}))
def test_the_blocks_of_a_page_succeed_one_after_the_other(used, page):
    for block in RUN:
        if block.page == page and block.language == "python":
            used.run("python", "-c", block.content)
        elif block.page == page:
            for command in block.commands():
                run(used, command)


def run(project, command):
    """Run a command of a page with ten steps of a small network; Python's in this process."""
    command = re.sub(r"max_steps=\d+", "max_steps=10", command)
    if command.startswith("python -m pipelines.train"):
        command += " model.network.num_features=16 model.network.num_blocks=2"  # as in `smoke`
    words = shlex.split(command)
    if words[0] in ("drnsr", "dvc") and not set("$|&;<>") & set(command):
        project.call(*words)
    elif words[:2] == ["python", "-m"] and words[2].startswith("pipelines."):
        project.call(*words[2:])
    elif not command.startswith("source .venv/"):
        project.run("bash", "-c", command)


@pytest.mark.slow
def test_experiments_queue_and_come_back_from_the_cache(used):
    *commands, back = EXPERIMENTS.commands()
    for command in commands:
        printed = used.run("bash", "-c", f"COLUMNS=100 {command}").stdout
        if command.startswith("dvc exp show"):
            assert_readable(printed)
        if command == "dvc queue start":
            used.wait_for_the_queue()
    assert used.ran(used.run("bash", "-c", back)) == []
    assert used.run("git", "status", "--short").stdout == ""

    shown = json.loads(used.call("dvc", "exp", "show", "--json").stdout)
    (experiment,) = shown[1]["experiments"]
    params = experiment["revs"][0]["data"]["params"]["resolved.yaml"]["data"]
    assert (params["model"]["name"], params["trainer"]["max_steps"]) == ("edsr_baseline", 20)
    used.call("dvc", "exp", "apply", experiment["name"])
    assert used.ran(used.call("dvc", "repro")) == []
    assert "edsr_baseline" in (used.root / "reports/index.html").read_text()
    assert used.reached_for() == ""


def assert_readable(table):
    """Every column is there, in full, on a terminal of 100 characters."""
    assert max(map(len, table.splitlines())) <= 100
    assert "…" not in table
    for text in ("sample_test.gain.psnr", "model", "edsr_baseline"):
        assert text in table


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
    for name in ("repro", "mirror", "test", "lint", "ui", "clean", "docs"):
        assert f"make {name}" in printed
