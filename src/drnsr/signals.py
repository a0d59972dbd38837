"""What a process does when Ctrl-C (SIGINT) or SIGTERM comes."""

import signal
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


def end_at_next_signal() -> None:
    """Give SIGINT and SIGTERM their default effect: the next one ends the process at once."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_DFL)


def ignore_ctrl_c() -> None:
    """Ignore SIGINT, which a terminal sends to all processes of a program, workers included."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
