"""Progress on a terminal of several kinds, and without one."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from rich.progress import MofNCompleteColumn

from drnsr.terminal import Bars, track

PROGRAM = """
import logging, sys
from drnsr.terminal import track
logging.basicConfig(format="%(message)s")
logging.getLogger("mlflow").addHandler(logging.StreamHandler(sys.stdout))
for number in track(range(3), "preparing a set with quite a long name", 3):
    logging.warning("log of %s", number)
    print(f"printed {number}")
"""


def on_a_terminal(columns, *, foreground=True, **variables):
    """Run the program on a terminal of its own; return all that it wrote to it."""
    terminal, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    # They would replace the terminal's own size, and NO_COLOR or FORCE_COLOR its colours.
    elsewhere = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"}
    environment = {name: os.environ[name] for name in os.environ.keys() - elsewhere}

    def take_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    command = [sys.executable, "-c", PROGRAM]
    if not foreground:  # a command with & after it; so is a job of a sweep
        command = ["bash", "-c", 'set -m; "$@" & wait', "bash", *command]
    process = subprocess.Popen(
        command,
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        env={**environment, "TERM": "xterm-256color", **variables},
        preexec_fn=take_terminal,
    )
    os.close(its_end)
    written = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # all of its users have ended
            break
        if not part:
            break
        written += part
    process.wait()
    os.close(terminal)
    return written.decode()


def visible(written):
    """Return the lines that stay on the screen."""
    lines = written.replace("\r\n", "\n").split("\n")
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    return [re.split(r"\r\x1b\[2K", line)[-1] for line in plain]


def test_a_bar_on_a_terminal():
    written = on_a_terminal(100)
    lines = visible(written)
    (bar,) = [line for line in lines if "━" in line]
    assert re.fullmatch(r"preparing a set with quite a long name ━{24} 3/3 0:00:0\d", bar)
    # What is logged and printed stands above the bar, each on a line of its own.
    assert [line for line in lines if line and line != bar] == [
        text for number in range(3) for text in (f"log of {number}", f"printed {number}")
    ]
    assert "\x1b[?25l" not in written  # the cursor stays, however the process ends


def test_a_narrow_terminal_has_one_line_for_a_bar():
    written = on_a_terminal(40)
    frames = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written))
    bars = [frame for frame in frames if "/3" in frame]
    assert bars
    wrong = [frame for frame in bars if not frame.startswith("preparing a") or len(frame) > 40]
    assert wrong == []
    assert "\x1b[1A" not in written


def test_no_colours_if_they_are_not_wanted():
    written = on_a_terminal(100, NO_COLOR="1")
    assert "━" in written
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", written)


@pytest.mark.parametrize("options", [{"TERM": "dumb"}, {"foreground": False}])
def test_a_terminal_that_has_no_place_for_a_bar(options):
    written = on_a_terminal(100, **options)
    assert "\x1b" not in written
    assert written.split("\r\n").count("preparing a set with quite a long name: 3/3") == 1


@pytest.mark.parametrize("forced", ["", "1"])
def test_without_a_terminal_there_is_a_line_at_the_end(capsys, monkeypatch, forced):
    monkeypatch.setenv("FORCE_COLOR", forced)
    assert list(track("abc", "measuring [set5]", 3)) == ["a", "b", "c"]
    assert list(track("abc", "drawing", 3, is_kept=False)) == ["a", "b", "c"]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "measuring [set5]: 3/3\n"


def test_without_a_terminal_long_work_says_how_far_it_is(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr("drnsr.terminal.time.monotonic", lambda: now)
    with Bars(MofNCompleteColumn()) as bars:
        task = bars.add_task("preparing", total=1000)
        for now in range(1000):  # noqa: B007 (the clock)
            bars.advance(task)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "preparing: 61/1000"  # after a minute
    assert len(lines) == 1000 // 60 + 1
    assert lines[-1] == "preparing: 1000/1000"
