"""Tasks over processes: each is done once, also if a process is killed within it."""

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from functools import partial

import pytest

from drnsr.errors import UserError
from drnsr.workers import Finished, Lost, Reported, WorkerError, share_out


def start(folder):
    return partial(work, folder)


def work(folder, task, report):
    (folder / f"{task}.{os.getpid()}").touch()
    report("half done")
    attempts = len(list(folder.glob(f"{task}.*")))
    if task == "deadly" or (task == "unlucky" and attempts == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    while task == "endless":
        report("not yet")
        time.sleep(0.01)
    if task == "wrong":
        raise UserError("it is wrong")
    logging.getLogger("drnsr").info("did %s", task)
    return task.upper()


def kill_at_start():
    os.kill(os.getpid(), signal.SIGKILL)


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_task_of_a_killed_worker_is_done_by_another_once(tmp_path, caplog):
    caplog.set_level(logging.INFO, "drnsr")
    tasks = ["deadly", "a", "unlucky", "b"]
    with closing(share_out(tasks, [partial(start, tmp_path)] * 2)) as events:
        seen = list(events)
    results = {tasks[each.task]: each.result for each in seen if isinstance(each, Finished)}
    assert results == {"a": "A", "b": "B", "unlucky": "UNLUCKY"}
    lost = [(tasks[each.task], each.is_final) for each in seen if isinstance(each, Lost)]
    assert sorted(lost) == [("deadly", False), ("deadly", True), ("unlucky", False)]
    reasons = {each.reason for each in seen if isinstance(each, Lost)}
    assert reasons == {"the worker died (signal 9; out of memory?)"}
    assert sum(isinstance(each, Reported) for each in seen) == 6
    assert sorted(caplog.messages) == ["did a", "did b", "did unlucky"]
    attempts = sorted(path.name.split(".") for path in tmp_path.iterdir())
    assert [name for name, _ in attempts] == ["a", "b", *["deadly"] * 2, *["unlucky"] * 2]
    assert len({process for name, process in attempts if name == "deadly"}) == 2
    assert not any(is_alive(int(process)) for _, process in attempts)


def test_an_error_of_a_worker_ends_all_and_so_does_the_end_of_the_iteration(tmp_path):
    with pytest.raises(UserError, match=r"^it is wrong$"):
        list(share_out(["wrong", "a"], [partial(start, tmp_path)]))
    with closing(share_out(["b", "c"], [partial(start, tmp_path)])) as events:
        next(events)
    processes = {int(path.suffix[1:]) for path in tmp_path.iterdir()}
    assert len(processes) == 2
    assert not any(map(is_alive, processes))


def test_workers_that_die_before_they_begin_are_reported():
    with pytest.raises(WorkerError, match=r"died \(signal 9; .*\) before it began, several times"):
        list(share_out(["a"], [kill_at_start]))


def test_no_worker_outlives_a_killed_process(tmp_path):
    program = f"""
from functools import partial
from pathlib import Path
from drnsr.workers import share_out
from tests.test_workers import start
list(share_out(["endless", "endless"], [partial(start, Path({str(tmp_path)!r}))] * 2))
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment)
    deadline = time.monotonic() + 60
    while len(alive := [int(path.suffix[1:]) for path in tmp_path.iterdir()]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    while any(map(is_alive, alive)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
