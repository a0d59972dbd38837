"""A task of a page, seen from the server: its progress is shown, and it can be stopped."""

import threading
import time
from concurrent.futures import Future
from typing import Any

from drnsr.workers import Worker

_LONGEST_END = 30.0  # seconds; the system ends a process at once, but must take back its memory


class StoppedError(Exception):
    """The user stopped the task, or left the page."""


class RunningTask:
    """A task that waits or runs.

    Attributes:
        fraction: of the pixels that are done, 0..1.
        started: when it began, by ``time.monotonic``; None while it waits.
        waiting: the call that runs it, which is cancelled if it did not begin before the stop.
    """

    def __init__(self) -> None:
        self.fraction = 0.0
        self.started: float | None = None
        self.waiting: Future[Any] | None = None
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._is_stopped = False
        self._ended = threading.Event()

    def stop(self) -> None:
        """End the task at once, with the process that does it."""
        with self._lock:
            self._is_stopped = True
            if self._worker is not None:
                self._worker.process.kill()
            elif self.waiting is None or self.waiting.cancel():
                self._ended.set()

    def take(self, worker: Worker) -> None:
        """Let :meth:`stop` end this process.

        Raises:
            StoppedError: the task was stopped before.
        """
        with self._lock:
            self.check()
            self._worker = worker

    def begin(self) -> None:
        """Note that the process begins the task."""
        self.started = time.monotonic()

    def release(self) -> None:
        """Let :meth:`stop` end no process any more."""
        with self._lock:
            self._worker = None

    def end(self) -> None:
        """Note that no process writes files of the task any more."""
        self._ended.set()

    def wait(self) -> None:
        """Wait until no process writes files of the task any more."""
        self._ended.wait(_LONGEST_END)

    def check(self) -> None:
        """Check that the task was not stopped.

        Raises:
            StoppedError: it was.
        """
        if self._is_stopped:
            raise StoppedError
