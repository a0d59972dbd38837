"""Reading ahead and writing behind: order, bounds, errors and ends."""

import threading

import pytest

from drnsr.video.threads import read_ahead, write_behind


@pytest.mark.parametrize("depth", [0, 2])
def test_items_arrive_in_order_and_few_wait(depth):
    taken, written, ahead = 0, [], []

    def numbers():
        for number in range(50):
            ahead.append(number - taken)
            yield number

    finished = []
    with (
        read_ahead(numbers(), depth) as items,
        write_behind(written.append, lambda: finished.append(len(written)), depth) as put,
    ):
        for item in items:
            taken += 1
            put(item)
    assert written == list(range(50))
    assert finished == [50]
    assert max(ahead) <= depth + 2  # those that wait, one that is computed, one that is read


@pytest.mark.parametrize("where", ["read", "compute", "write", "finish"])
def test_an_error_ends_all_threads(where):
    before = threading.active_count()
    written = []

    def fail(at, error=KeyError):
        if at == where:
            raise error(at)

    def numbers():
        yield from range(5)
        fail("read")
        yield from range(500)

    def write(number):
        if number == 3:
            fail("write")
        written.append(number)

    def run():
        with (
            read_ahead(numbers()) as items,
            write_behind(write, lambda: fail("finish")) as put,
        ):
            for item in items:
                if item == 4:
                    fail("compute")
                put(item)

    with pytest.raises(KeyError, match=where):
        run()
    assert threading.active_count() == before
