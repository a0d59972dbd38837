"""Tasks as hostile pictures cause them; the processes that do them import no torch."""

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Attack:
    """A task that calls a function of this module."""

    kind: str
    folder: Path
    longest_silence: float
    name: str = "bad.png"

    def run(self, models, progress):
        return globals()[self.kind](self, progress)


def begin(models):
    return work


def work(task, report):
    return task.run({}, report)


def harmless(task, report):
    for tenth in range(11):
        report(tenth / 10)
    return os.getpid()


def slow(task, report):
    """Report on and on, longer than the longest silence."""
    for number in range(25):
        report(number / 25)
        time.sleep(0.1)
    return os.getpid()


def endless(task, report):
    """Write files without a report, as a decoder that never returns."""
    while True:
        for number in range(100):
            (task.folder / f"{number}.tif").touch()


def deadly(task, report):
    os.kill(os.getpid(), 11)


def hungry(task, report):
    blocks = []
    while True:
        blocks.append(bytearray(1 << 24))
