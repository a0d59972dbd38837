"""Every task can be ended, no session blocks another, and no file is left."""

import asyncio
import os
from contextlib import closing, suppress
from functools import partial

import pytest

from drnsr.demo.pool import MAX_PROCESSES, Pool
from drnsr.demo.process import Inspection, start
from drnsr.demo.running import StoppedError
from drnsr.demo.session import Session, Sessions
from drnsr.errors import UserError
from tests.demo.attacks import Attack, begin


@pytest.fixture
def sessions(tmp_path):
    with closing(Sessions(Pool({}, begin), tmp_path)) as sessions:
        yield sessions


def files(folder):
    """Return the names of all files; os.walk leaves out a folder that is removed meanwhile."""
    return sorted(name for _, _, names in os.walk(folder) for name in names)


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


def attack(session, kind, longest_silence=60.0):
    """Begin a task in the background, and return it with its future result."""
    running = session.start_task()
    task = Attack(kind, session.new_private_folder(), longest_silence)
    return running, asyncio.ensure_future(session.run(task, running))


def is_alive(process):
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


def test_a_task_that_never_ends_is_given_up_and_blocks_no_other_session(sessions, tmp_path):
    async def check():
        one, other = Session(sessions), Session(sessions)
        _, endless = attack(one, "endless")
        await until(lambda: files(tmp_path))
        running, harmless = attack(other, "harmless")
        assert await harmless != os.getpid()
        assert running.fraction == 1
        assert not endless.done()
        _, hanging = attack(one, "endless", 1.0)
        with pytest.raises(StoppedError):
            await endless
        with pytest.raises(UserError, match=r"^bad\.png: given up after 1 s without progress$"):
            await hanging
        # A task that reports may take longer.
        slow, harmless = attack(one, "slow", 2.0)[1], attack(other, "harmless")[1]
        process = await slow
        assert await harmless != process
        # A process that dies is replaced.
        with pytest.raises(UserError, match=r"^bad\.png: given up, because the worker died"):
            await attack(one, "deadly")[1]
        assert is_alive(await attack(one, "harmless")[1])

    asyncio.run(check())


def test_a_page_that_is_left_takes_its_task_and_its_files_along(sessions, tmp_path):
    async def check():
        left, stays = Session(sessions), Session(sessions)
        kept = stays.new_public_folder() / "kept.png"
        kept.touch()
        _, endless = attack(left, "endless")
        await until(lambda: "1.tif" in files(tmp_path))
        left.close()
        with pytest.raises(StoppedError):
            await endless
        await until(lambda: files(tmp_path) == ["kept.png"])
        # An upload that arrives after the page was left is removed as well.
        late = left.new_private_folder() / "late.png"
        late.touch()
        with pytest.raises(StoppedError):
            await attack(left, "harmless")[1]
        left.remove(late.parent)
        await until(lambda: files(tmp_path) == ["kept.png"])

    asyncio.run(check())


def test_a_stop_ends_the_task_at_once_whether_it_runs_or_waits(sessions, tmp_path):
    async def check():
        others = [Session(sessions) for _ in range(MAX_PROCESSES)]
        runs = [attack(session, "endless") for session in others]
        await until(lambda: all(running.started for running, _ in runs))
        waits = Session(sessions)
        running, waiting = attack(waits, "harmless")
        await asyncio.sleep(0.1)
        assert running.started is None
        waits.stop_task()
        with pytest.raises(StoppedError):
            await waiting
        for session, (_, task) in zip(others, runs, strict=True):
            session.stop_task()
            with pytest.raises(StoppedError):
                await task
        assert is_alive(await attack(waits, "harmless")[1])

    asyncio.run(check())


def test_closing_the_server_ends_all_processes(tmp_path):
    async def check():
        sessions = Sessions(Pool({}, begin), tmp_path)
        process = await attack(Session(sessions), "harmless")[1]
        _, endless = attack(Session(sessions), "endless")
        await until(lambda: files(tmp_path))
        await asyncio.to_thread(sessions.close)
        sessions.close()
        assert not is_alive(process)
        with pytest.raises(StoppedError):
            await endless

    asyncio.run(check())


def test_urls_are_quoted_and_cannot_be_guessed(sessions):
    pages = Session(sessions), Session(sessions)
    one, other = (page.url(page.new_public_folder() / "a #1?.png") for page in pages)
    assert one.endswith("/a%20%231%3F.png")
    assert len(one.split("/")[2]) >= 20
    assert one.split("/")[2] != other.split("/")[2]


@pytest.mark.slow
def test_a_picture_gets_no_more_than_its_memory_and_a_bad_one_ends_nothing(tmp_path):
    # Little endian, the first directory at 8, no entries, and the next directory at 8 again.
    (tmp_path / "loop.tif").write_bytes(b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0")

    async def check():
        page = Session(sessions)
        with pytest.raises(UserError, match=r"^bad\.png: needs more than the 1 GiB of memory"):
            await attack(page, "hungry")[1]
        with pytest.raises(UserError, match=r"^loop\.tif: "):
            await page.run(Inspection(tmp_path / "loop.tif", tmp_path), page.start_task())

    (tmp_path / "uploads").mkdir()
    pool = Pool({}, partial(start, max_memory=1 << 30))
    with closing(Sessions(pool, tmp_path)) as sessions:
        asyncio.run(check())
