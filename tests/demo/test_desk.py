"""One worker for all pages, and nothing left behind."""

import asyncio
import threading
from functools import partial

import pytest

from drnsr.demo.desk import Desk, Visit
from drnsr.demo.work import StoppedError


@pytest.fixture
def desk(tmp_path):
    desk = Desk({}, tmp_path)
    yield desk
    desk.close()


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_one_piece_of_work_at_a_time(desk):
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
        return await asyncio.gather(*(desk.do(partial(work, number)) for number in range(5)))

    assert asyncio.run(all_at_once()) == [0, 1, 2, 3, 4]
    assert most == 1


def test_what_a_page_had_goes_when_it_is_closed(desk, tmp_path):
    leaving, staying = Visit(desk), Visit(desk)
    for visit in (leaving, staying):
        (visit.upload_folder() / "a.png").touch()
        (visit.shown_folder() / "a_x2.png").touch()
    leaving.leave()
    asyncio.run(desk.do(lambda: None))  # after what came before
    assert files(tmp_path) == ["a.png", "a_x2.png"]


def test_what_a_page_no_longer_needs_goes(desk, tmp_path):
    visit = Visit(desk)
    old, new = visit.upload_folder(), visit.upload_folder()
    (old / "old.png").touch()
    (new / "new.png").touch()
    visit.remove(old)
    asyncio.run(desk.do(lambda: None))
    assert files(tmp_path) == ["new.png"]


def test_work_that_the_end_stopped_has_nothing_to_remove(tmp_path):
    desk = Desk({}, tmp_path)
    visit = Visit(desk)
    folder = visit.shown_folder()
    desk.close()
    visit.remove(folder)
    assert not folder.exists()


def test_new_work_ends_what_was_done_for_the_page(desk):
    visit = Visit(desk)
    first = visit.begin()
    second = visit.begin()
    with pytest.raises(StoppedError):
        first.start(1)
    second.start(1)


def test_the_end_stops_work_and_waits_for_it(tmp_path):
    desk = Desk({}, tmp_path)
    progress = Visit(desk).begin()
    begun, ended = threading.Event(), threading.Event()

    def work():
        begun.set()
        try:
            while True:
                progress.advance(1)
        finally:
            ended.set()

    async def close_meanwhile():
        going_on = asyncio.ensure_future(desk.do(work))
        await asyncio.to_thread(begun.wait)
        desk.close()
        assert ended.is_set()
        with pytest.raises(StoppedError):
            await going_on

    asyncio.run(close_meanwhile())


def test_addresses_are_quoted_and_cannot_be_guessed(desk):
    visits = Visit(desk), Visit(desk)
    one, other = (visit.address(visit.shown_folder() / "a #1?.png") for visit in visits)
    assert one.endswith("/a%20%231%3F.png")
    assert len(one.split("/")[2]) >= 20
    assert one.split("/")[2] != other.split("/")[2]
