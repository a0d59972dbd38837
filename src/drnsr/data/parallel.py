"""Parallel work on many pictures, with few results in memory at a time."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

# Each worker has a picture and its copies in memory; with more workers the disk is the limit.
_MAX_WORKERS = 8

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Progress(Protocol):
    """Shows the progress of work; :func:`drnsr.terminal.track` is one."""

    def __call__(
        self, sequence: Iterable[_Item], description: str, total: float, /
    ) -> Iterable[_Item]:
        """Yield the ``total`` items of ``sequence`` in their order."""


def no_progress(
    sequence: Iterable[_Item],
    description: str,
    total: float,
    /,
) -> Iterable[_Item]:
    """Return the items; a :class:`Progress` that shows nothing."""
    return sequence


def map_in_order(
    function: Callable[[_Item], _Result], items: Iterable[_Item], *, workers: int | None = None
) -> Iterator[_Result]:
    """Apply ``function`` to every item, and yield the results in the order of the items.

    Threads suffice, because Pillow, numpy, torch and OpenCV release Python's lock. Only a few items
    are started ahead of the consumer, so that memory does not grow with their number.

    Args:
        function: called in several threads at once.
        items: consumed as the work proceeds.
        workers: number of threads; by default the number of cores, at most 8.
    """
    workers = workers or min(os.cpu_count() or 1, _MAX_WORKERS)
    pool = ThreadPoolExecutor(workers)
    pending: deque[Future[_Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
