"""Work on many pictures, shared out over the cores, with few results in memory at a time."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

# Each has a picture and its copies in hand: with more, memory would grow and the disk be the limit.
_MOST_WORKERS = 8

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Progress(Protocol):
    """Shows how far the work is; ``rich.progress.track`` is one."""

    def __call__(
        self, sequence: Iterable[_Item], description: str, total: float, /
    ) -> Iterable[_Item]:
        """Hand on the ``total`` items of ``sequence`` in their order."""


def unseen(
    sequence: Iterable[_Item],
    description: str,
    total: float,
    /,
) -> Iterable[_Item]:
    """The :class:`Progress` that shows nothing."""
    return sequence


def map_in_order(
    function: Callable[[_Item], _Result], items: Iterable[_Item], *, workers: int | None = None
) -> Iterator[_Result]:
    """Apply ``function`` to every item, and give the results in the order of the items.

    Threads serve: Pillow, numpy, torch and OpenCV release Python's lock while they work. Only a few
    items are begun ahead of the one that is asked for, so that memory does not grow with their
    number.

    Args:
        function: called in several threads at once.
        items: taken as the work goes on.
        workers: threads; by default as many as there are cores, 8 at most.
    """
    workers = workers or min(os.cpu_count() or 1, _MOST_WORKERS)
    pool = ThreadPoolExecutor(workers)
    begun: deque[Future[_Result]] = deque()
    try:
        for item in items:
            begun.append(pool.submit(function, item))
            if len(begun) > 2 * workers:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
