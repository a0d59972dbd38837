"""One worker for all pages, and nothing left behind."""

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


def test_one_piece_of_work_at_a_time(worker):
    at_work, most = 0, 0
    lock = threading.Lock()

    def work(number):
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        threading.Event().wait(0.01)
        with lock:
            at_work -= 1
        return number

    async def all_at_once():
        return await asyncio.gather(*(worker.run(partial(work, number)) for number in range(5)))

    assert asyncio.run(all_at_once()) == [0, 1, 2, 3, 4]
    assert most == 1


def test_what_a_page_had_goes_when_it_is_closed(worker, tmp_path):
    leaving, staying = Session(worker), Session(worker)
    for session in (leaving, staying):
        (session.new_upload_folder() / "a.png").touch()
        (session.new_public_folder() / "a_x2.png").touch()
    leaving.close()
    asyncio.run(worker.run(lambda: None))  # after what came before
    assert files(tmp_path) == ["a.png", "a_x2.png"]


def test_what_a_page_no_longer_needs_goes(worker, tmp_path):
    session = Session(worker)
    old, new = session.new_upload_folder(), session.new_upload_folder()
    (old / "old.png").touch()
    (new / "new.png").touch()
    session.remove(old)
    asyncio.run(worker.run(lambda: None))
    assert files(tmp_path) == ["new.png"]


def test_work_that_the_end_stopped_has_nothing_to_remove(tmp_path):
    worker = Worker({}, tmp_path)
    session = Session(worker)
    folder = session.new_public_folder()
    worker.close()
    session.remove(folder)
    assert not folder.exists()


def test_new_work_ends_what_was_done_for_the_page(worker):
    session = Session(worker)
    first = session.start_task()
    second = session.start_task()
    with pytest.raises(StoppedError):
        first.start(1)
    second.start(1)


def test_the_end_stops_work_and_waits_for_it(tmp_path):
    worker = Worker({}, tmp_path)
    progress = Session(worker).start_task()
    begun, ended = threading.Event(), threading.Event()

    def work():
        begun.set()
        try:
            while True:
                progress.advance(1)
        finally:
            ended.set()

    async def close_meanwhile():
        going_on = asyncio.ensure_future(worker.run(work))
        await asyncio.to_thread(begun.wait)
        worker.close()
        assert ended.is_set()
        with pytest.raises(StoppedError):
            await going_on

    asyncio.run(close_meanwhile())


def test_addresses_are_quoted_and_cannot_be_guessed(worker):
    sessions = Session(worker), Session(worker)
    one, other = (session.url(session.new_public_folder() / "a #1?.png") for session in sessions)
    assert one.endswith("/a%20%231%3F.png")
    assert len(one.split("/")[2]) >= 20
    assert one.split("/")[2] != other.split("/")[2]
