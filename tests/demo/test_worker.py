"""One worker runs the tasks of all pages, and no file is left."""

import asyncio
import threading
from functools import partial

import pytest

from drnsr.demo.tasks import StoppedError
from drnsr.demo.worker import Session, Worker


@pytest.fixture
def worker(tmp_path):
    worker = Worker({}, tmp_path)
    yield worker
    worker.close()


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_one_task_runs_at_a_time(worker):
    running, most = 0, 0
    lock = threading.Lock()

    def task(number):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.01)
        with lock:
            running -= 1
        return number

    async def all_at_once():
        return await asyncio.gather(*(worker.run(partial(task, number)) for number in range(5)))

    assert asyncio.run(all_at_once()) == [0, 1, 2, 3, 4]
    assert most == 1


def test_the_files_of_a_closed_page_are_removed(worker, tmp_path):
    closed, still_open = Session(worker), Session(worker)
    for session in (closed, still_open):
        (session.new_upload_folder() / "a.png").touch()
        (session.new_public_folder() / "a_x2.png").touch()
    closed.close()
    asyncio.run(worker.run(lambda: None))  # wait for the earlier tasks
    assert files(tmp_path) == ["a.png", "a_x2.png"]


def test_folders_that_a_page_no_longer_needs_are_removed(worker, tmp_path):
    session = Session(worker)
    old, new = session.new_upload_folder(), session.new_upload_folder()
    (old / "old.png").touch()
    (new / "new.png").touch()
    session.remove(old)
    asyncio.run(worker.run(lambda: None))
    assert files(tmp_path) == ["new.png"]


def test_a_closed_session_removes_nothing_twice(tmp_path):
    worker = Worker({}, tmp_path)
    session = Session(worker)
    folder = session.new_public_folder()
    worker.close()
    session.remove(folder)
    assert not folder.exists()


def test_a_new_task_stops_the_current_one(worker):
    session = Session(worker)
    first = session.start_task()
    second = session.start_task()
    with pytest.raises(StoppedError):
        first.start(1)
    second.start(1)


def test_closing_the_worker_stops_its_task_and_waits(tmp_path):
    worker = Worker({}, tmp_path)
    progress = Session(worker).start_task()
    started, ended = threading.Event(), threading.Event()

    def task():
        started.set()
        try:
            while True:
                progress.advance(1)
        finally:
            ended.set()

    async def close_meanwhile():
        running = asyncio.ensure_future(worker.run(task))
        await asyncio.to_thread(started.wait)
        worker.close()
        assert ended.is_set()
        with pytest.raises(StoppedError):
            await running

    asyncio.run(close_meanwhile())


def test_urls_are_quoted_and_cannot_be_guessed(worker):
    sessions = Session(worker), Session(worker)
    one, other = (session.url(session.new_public_folder() / "a #1?.png") for session in sessions)
    assert one.endswith("/a%20%231%3F.png")
    assert len(one.split("/")[2]) >= 20
    assert one.split("/")[2] != other.split("/")[2]
