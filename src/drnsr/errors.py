"""Errors that a person can act on, and how a program reports them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGINT


class UserError(Exception):
    """A mistake that the user can correct.

    The message is one line that names the file, key or value at fault and says what to do.
    Programs print it without a traceback and exit with ``exit_code``.
    """

    exit_code = 1


class SignalError(UserError):
    """A signal ended the work early; what was finished is on the disk.

    Args:
        message: see the class above.
        signal_number: the signal; the exit code is 128 + this number, as is the convention.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Run a program: print an error that the user can correct as one line, and exit.

    Any other exception is a defect of the program, and keeps its traceback.

    Raises:
        SystemExit: with the exit code of the :class:`UserError`; 1 for an OSError that names a
            file; 130 after Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt:
        _exit("ended by Ctrl-C", 128 + SIGINT)
    except UserError as error:
        _exit(str(error), error.exit_code)
    except OSError as error:
        if error.filename is None:
            raise  # it is not about a file
        _exit(f"{error.filename}: {error.strerror}", 1)


def printable(text: str) -> str:
    """Escape control characters, which a terminal would execute, and the ends of lines.

    Text from files, file names and servers goes through here before it is printed.
    """
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def printable_lines(text: str) -> str:
    """Escape control characters, and keep the ends of lines."""
    return "\n".join(map(printable, text.split("\n")))


def _exit(message: str, code: int) -> None:
    message = printable_lines(message)
    if code == 1:
        sys.exit(f"error: {message}")  # Python prints the message and exits with 1
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)
