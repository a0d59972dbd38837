"""The processes that do the tasks of all pages: each can be ended, and none blocks another."""

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from drnsr.demo.process import Failed, start
from drnsr.demo.running import RunningTask, StoppedError
from drnsr.demo.tasks import Progress
from drnsr.errors import UserError
from drnsr.upscale.models import Models
from drnsr.workers import DeathError, Event, Finished, Reported, Work, Worker

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

MAX_PROCESSES = 4
"""Tasks at a time; more wait. A process takes 300 MB, and more for a large picture."""

_LONGEST_START = 120.0  # seconds in which a process imports torch


class Task(Protocol[T_co]):
    """A task, such as :class:`drnsr.demo.process.Upscaling`; it can be pickled."""

    @property
    def name(self) -> str:
        """The name of the uploaded file."""

    @property
    def longest_silence(self) -> float:
        """Seconds without progress after which the task is given up."""

    def run(self, models: Mapping[str, Models], progress: Progress) -> T_co:
        """Do the task."""


class Pool:
    """Runs the tasks of the pages in processes. One of them always waits for the next task.

    Args:
        models: the models by the names that the pages display.
        begin: prepares a process.
    """

    def __init__(
        self,
        models: Mapping[str, Models],
        begin: Callable[[Mapping[str, Models]], Work] = start,
    ) -> None:
        self._start = partial(begin, {name: each.on("cpu") for name, each in models.items()})
        self._threads = ThreadPoolExecutor(MAX_PROCESSES)  # one for each task, to wait for it
        self._remover = ThreadPoolExecutor(1)
        self._lock = threading.Lock()
        self._said: set[str] = set()
        self._idle: list[Worker] = []
        self._is_closed = False
        self._keep_warm()

    async def run(self, task: Task[T], running: RunningTask) -> T:
        """Run a task and return its result.

        Raises:
            UserError: the task failed, or was given up; the message is a line for the page.
            StoppedError: it was stopped.
        """
        call = self._threads.submit(self._run, task, running)
        running.waiting = call
        try:
            result: T = await asyncio.wrap_future(call)
        except asyncio.CancelledError:
            if call.cancelled():
                raise StoppedError from None
            raise
        return result

    def remove(self, folders: Iterable[Path], after: Iterable[RunningTask] = ()) -> None:
        """Remove folders when tasks that may write to them have ended."""

        def remove() -> None:
            for running in after:
                running.wait()
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)

        with self._lock:
            if not self._is_closed:  # the server removes all folders
                self._remover.submit(remove)

    def close(self) -> None:
        """End all processes; the tasks were stopped. A second call changes nothing."""
        with self._lock:
            self._is_closed = True
        self._threads.shutdown()
        for worker in self._idle:
            _end(worker)
        self._idle.clear()
        self._remover.shutdown()

    def _run(self, task: Task[T], running: RunningTask) -> T:
        worker = self._take()
        try:
            running.take(worker)
            result = self._result(worker, task, running)
            running.release()
            running.check()  # a stop ended the process after the result
        except BaseException:
            _end(worker)
            raise
        else:
            self._give_back(worker)
        finally:
            running.release()
            running.end()
            self._keep_warm()
        if isinstance(result, Failed):
            raise UserError(result.problem)
        return result

    def _result(self, worker: Worker, task: Task[T], running: RunningTask) -> T | Failed:
        try:
            while not worker.is_idle:
                self._receive(worker, _LONGEST_START)
            running.begin()
            worker.begin(0, task)
            while not isinstance(event := self._receive(worker, task.longest_silence), Finished):
                if isinstance(event, Reported):
                    running.fraction = event.message
        except TimeoutError as error:
            raise UserError(f"{task.name}: given up after {error} without progress") from None
        except DeathError as error:
            running.check()
            raise UserError(f"{task.name}: given up, because {error}") from None
        result: T | Failed = event.result
        return result

    @staticmethod
    def _receive(worker: Worker, seconds: float) -> Event | None:
        if not worker.connection.poll(seconds):
            raise TimeoutError(f"{seconds:.0f} s")
        return worker.receive()

    def _take(self) -> Worker:
        """Return a process that does nothing; start one if there is none."""
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.process.is_alive():
                    return worker
                _end(worker)
        return Worker(self._start, self._said)

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            if not self._idle and not self._is_closed:
                self._idle.append(worker)
                return
        _end(worker)

    def _keep_warm(self) -> None:
        """Start a process if none waits for a task, because its start takes seconds."""
        with self._lock:
            if not self._idle and not self._is_closed:
                self._idle.append(Worker(self._start, self._said))


def _end(worker: Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.connection.close()
