"""Threads with bounded queues, so that reading, computing and writing go on side by side."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

Item = TypeVar("Item")

_POLL = 0.1  # seconds after which a waiting thread looks whether the others have ended


class _Stopped(Exception):  # noqa: N818 (it is no error)
    """The other side has ended."""


class _Queue:
    """A bounded queue whose waiting ends when the other side has ended."""

    def __init__(self, depth: int) -> None:
        self._items: queue.Queue[object] = queue.Queue(max(1, depth))
        self._is_handed_over = depth == 0
        self.stop = threading.Event()

    def put(self, item: object) -> None:
        while not self.stop.is_set():
            try:
                self._items.put(item, timeout=_POLL)
            except queue.Full:
                continue
            while self._is_handed_over and not (self._items.empty() or self.stop.wait(_POLL)):
                pass
            return
        raise _Stopped

    def get(self) -> object:
        while True:
            try:
                return self._items.get(timeout=_POLL)
            except queue.Empty:
                if self.stop.is_set():
                    raise _Stopped from None


_END = object()


@contextmanager
def read_ahead(items: Iterator[Item], depth: int = 2) -> Iterator[Iterator[Item]]:
    """Take items from an iterator in a thread while the block computes.

    Its exception is raised in the block. After the block the thread has ended. ``depth`` is the
    number of items that wait for the block; with 0 the thread goes on when its item was taken.
    """
    waiting = _Queue(depth)
    errors: list[BaseException] = []

    def read() -> None:
        try:
            for item in items:
                waiting.put(item)
        except _Stopped:
            return
        except BaseException as error:  # it is raised in the block
            errors.append(error)
        with suppress(_Stopped):
            waiting.put(_END)

    def taken() -> Iterator[Item]:
        while (item := waiting.get()) is not _END:
            yield item  # type: ignore[misc]
        if errors:
            raise errors[0]

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        waiting.stop.set()
        thread.join()


@contextmanager
def write_behind(
    write: Callable[[Item], None], finish: Callable[[], None], depth: int = 2
) -> Iterator[Callable[[Item], None]]:
    """Yield a function that lets a thread write an item while the block goes on.

    An exception of the thread is raised at the next call, or at the end of the block. If the block
    ends well, all items are written and ``finish`` has been called; else the thread ends after the
    item that it writes. ``depth`` is the number of items that wait for the thread; with 0 the
    block goes on when its item was taken.
    """
    waiting = _Queue(depth)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            while (item := waiting.get()) is not _END:
                write(item)  # type: ignore[arg-type]
                del item  # a frame may be large
            finish()
        except _Stopped:
            pass
        except BaseException as error:  # it is raised in the block
            errors.append(error)
            waiting.stop.set()

    def put(item: object) -> None:
        try:
            waiting.put(item)
        except _Stopped:
            raise errors[0] from None

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield put
        put(_END)
        thread.join()
    finally:
        waiting.stop.set()
        thread.join()
    if errors:
        raise errors[0]
