"""What a process does when Ctrl-C (SIGINT) or SIGTERM comes."""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from drnsr.errors import SignalError

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
"""The signals by which a person or a scheduler ends a program."""


@contextmanager
def handle_signals(
    handler: Callable[[int], None], signals: Sequence[signal.Signals] = INTERRUPTS
) -> Iterator[None]:
    """Handle signals while the block runs, and restore the earlier handlers after it.

    Args:
        handler: is called with the number of the signal.
        signals: the signals to handle.
    """

    def handle(number: int, _: FrameType | None) -> None:
        handler(number)

    before = {number: signal.signal(number, handle) for number in signals}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def signals_raise(message: str) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the block by an exception, so that it can clean up.

    Args:
        message: of the exception.

    Raises:
        SignalError: if one of the signals came.
    """

    def end(number: int) -> None:
        raise SignalError(message, number)

    with handle_signals(end):
        yield


@contextmanager
def signals_exit(before: Callable[[], None] | None = None) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the process by SystemExit, with the exit code of the convention.

    The block can clean up. Other than an error, SystemExit passes through libraries that record the
    failure of a job and go on with the next one.

    Args:
        before: is called first.
    """

    def end(number: int) -> None:
        if before is not None:
            before()
        print(f"error: ended by {signal.Signals(number).name}", file=sys.stderr)
        sys.exit(128 + number)

    with handle_signals(end):
        yield


def end_at_next_signal() -> None:
    """Give SIGINT and SIGTERM their default effect: the next one ends the process at once."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_DFL)


def ignore_ctrl_c() -> None:
    """Ignore SIGINT, which a terminal sends to all processes of a program, workers included."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
