"""Tasks that are shared out over processes, for example one for each GPU."""

import logging
import signal
import sys
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from logging.handlers import QueueHandler
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from drnsr.errors import SignalError, UserError
from drnsr.signals import INTERRUPTS, handle_signals, ignore_ctrl_c

log = logging.getLogger("drnsr")

Report = Callable[[Any], None]
"""Sends an object from a worker to the process that shares out."""

Work = Callable[[Any, Report], Any]
"""Does a task and returns its result; both can be pickled, and the reports meanwhile."""

# A worker looks at SIGTERM when a tile is done; after so many seconds it is killed.
_LONGEST_END = 30

# A task that ended so many workers is given up.
_MAX_DEATHS = 2

# So many workers may end before they begin.
_MAX_STARTS = 2


class WorkerError(UserError):
    """Processes end before they begin to work."""


@dataclass(frozen=True)
class Reported:
    """A worker reported something about a task that it works on."""

    task: int
    message: Any


@dataclass(frozen=True)
class Finished:
    """A worker finished a task."""

    task: int
    result: Any


@dataclass(frozen=True)
class Lost:
    """A worker ended within a task, and what it reported about the task is void.

    Attributes:
        task: the number of the task.
        reason: how the worker ended.
        is_final: whether the task was given up; if not, another worker begins it again.
    """

    task: int
    reason: str
    is_final: bool


Event = Reported | Finished | Lost


def share_out(tasks: Sequence[Any], starts: Sequence[Callable[[], Work]]) -> Generator[Event]:
    """Share tasks out over new processes, each of which takes one after another.

    A task whose worker is killed is done again by another worker, after the tasks that wait. No
    worker outlives the iteration, however it ends, nor this process by more than a task.

    Args:
        tasks: what to do, in the order in which it is begun.
        starts: one for each process, which calls it once. Each can be pickled.

    Yields:
        Each event; a :class:`Finished` or a final :class:`Lost` for each task.

    Raises:
        WorkerError: processes end before they begin.
        UserError: if a worker raised it.
    """
    waiting = deque(range(len(tasks)))
    missing = len(tasks)
    deaths: Counter[int | None] = Counter()  # by task; None stands for the start
    workers: list[Worker] = []
    said: set[str] = set()
    try:
        for start in starts[: len(tasks)]:
            workers.append(
                Worker(start, said)
            )  # one by one, so that a signal finds those that began
        while missing:
            for worker in _with_message(workers):
                try:
                    event = worker.receive()
                except DeathError as death:
                    workers[workers.index(worker)] = Worker(worker.start, said)
                    deaths[worker.task] += 1
                    event = _after_death(worker.task, str(death), deaths)
                    if isinstance(event, Lost) and not event.is_final:
                        waiting.append(event.task)
                if event is not None:
                    missing -= isinstance(event, Finished) or getattr(event, "is_final", False)
                    yield event
            for worker in workers:
                if waiting and worker.is_idle:
                    number = waiting.popleft()
                    worker.begin(number, tasks[number])
    finally:
        _end(workers)


class DeathError(Exception):
    """A worker ended; the message says how."""


def _after_death(task: int | None, reason: str, deaths: Counter[int | None]) -> Lost | None:
    if task is not None:
        return Lost(task, reason, is_final=deaths[task] >= _MAX_DEATHS)
    if deaths[None] > _MAX_STARTS:
        raise WorkerError(f"{reason} before it began, several times; take fewer --devices")
    return None


class Worker:
    """A process that works, seen from the one that shares out.

    Args:
        start: see :func:`share_out`.
        said: informative messages of all workers so far; none is repeated.

    Attributes:
        task: the number of the task that it works on; None before the first and after each.
        is_idle: whether it waits for a task.
    """

    def __init__(self, start: Callable[[], Work], said: set[str]) -> None:
        context = get_context("spawn")
        self.start, self._said = start, said
        self.connection, its_end = context.Pipe()
        level = log.getEffectiveLevel()
        self.process = context.Process(target=_work, args=(its_end, start, level), daemon=True)
        self.task: int | None = None
        self.is_idle = False
        with _inherited_block():
            self.process.start()
        its_end.close()  # so that the end of the process ends the connection

    def begin(self, number: int, task: object) -> None:
        """Send it a task."""
        self.task, self.is_idle = number, False
        with suppress(OSError):  # if it has ended, that is received next
            self.connection.send(task)

    def receive(self) -> Event | None:
        """Receive its next message; None if it says that it is ready.

        Raises:
            UserError: the worker raised it.
            DeathError: the worker ended.
        """
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            self.connection.close()
            self.process.join()
            code = self.process.exitcode or 0
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            cause = "; out of memory?" if -code == signal.SIGKILL else ""
            raise DeathError(f"the worker died ({how}{cause})") from None
        if isinstance(message, UserError):
            raise message
        if isinstance(message, logging.LogRecord):
            if message.levelno != logging.INFO or message.getMessage() not in self._said:
                logging.getLogger(message.name).handle(message)
            self._said.add(message.getMessage())
            return None
        if isinstance(message, _Result):
            number, self.task, self.is_idle = self.task, None, True
            return None if number is None else Finished(number, message.value)
        assert self.task is not None
        return Reported(self.task, message)


@dataclass(frozen=True)
class _Result:
    """What a worker sends when it is ready for a task: the result of the last one, or None."""

    value: Any


def _with_message(workers: Sequence[Worker]) -> list[Worker]:
    ready = wait([worker.connection for worker in workers])
    return [worker for worker in workers if worker.connection in ready]


def _end(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(_LONGEST_END)
        worker.process.kill()
        worker.connection.close()


@contextmanager
def _inherited_block() -> Iterator[None]:
    """Block signals in this process, and in one that is started meanwhile until it is ready."""
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection, start: Callable[[], Work], log_level: int) -> None:
    """Do tasks until SIGTERM comes, or the process that shares out is gone."""
    ignore_ctrl_c()  # a terminal sends it to this process too; the other one ends it by SIGTERM
    try:
        with suppress(EOFError, BrokenPipeError), _ended_by_sigterm():
            _send_log(connection, log_level)
            _do_tasks(connection, start)
    except SignalError as error:
        sys.exit(error.exit_code)


def _do_tasks(connection: Connection, start: Callable[[], Work]) -> None:
    try:
        work = start()
        result = None
        while True:
            connection.send(_Result(result))
            result = work(connection.recv(), connection.send)
    except SignalError:
        raise
    except UserError as error:
        connection.send(UserError(str(error)))  # each type may need other arguments
        connection.recv()  # until this process is ended


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    def end(number: int) -> None:
        raise SignalError("ended by the process that shares out", number)

    with handle_signals(end, [signal.SIGTERM]):
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
        yield


def _send_log(connection: Connection, level: int) -> None:
    class Sender(QueueHandler):
        def enqueue(self, record: logging.LogRecord) -> None:
            connection.send(record)

    log.addHandler(Sender(None))  # type: ignore[arg-type]
    log.setLevel(level)
    log.propagate = False
