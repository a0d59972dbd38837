"""Errors that a person can act on, and how a program reports them."""

import errno
import logging
import os
import re
import select
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT
from typing import Any

from drnsr.verbosity import is_verbose

_SIGPIPE = 13  # Windows has no such signal

# The disk, or the user's share of it, is full.
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


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


class PrunedError(UserError):
    """A training was ended because others of its study are better."""


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Run a program: print an error that the user can correct as one line, and exit.

    Any other exception is a defect of the program, and keeps its traceback.

    Raises:
        SystemExit: with the exit code of the :class:`UserError`; 1 for an OSError that names a
            file; 130 after Ctrl-C; 141 if the reader of a pipe, such as ``head``, has enough.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        if not _is_output_closed():
            raise
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123 (a file name of the system)
            os.dup2(nothing.fileno(), sys.stdout.fileno())  # for the rest of Python's buffer
        sys.exit(128 + _SIGPIPE)
    except KeyboardInterrupt:
        _exit("ended by Ctrl-C", 128 + SIGINT)
    except UserError as error:
        _exit(str(error), error.exit_code)
    except OSError as error:
        if error.filename is None:
            raise  # it is not about a file
        _exit(reason(error), 1)


def reason(error: BaseException) -> str:
    """Return in one line why something failed; the class of a defect is part of it."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        advice = _free_disk(Path(error.filename)) if error.errno in _FULL_DISK else ""
        return f"{error.filename}: {error.strerror}{advice}"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def network_reason(error: BaseException) -> str:
    """Return in one line why a server cannot be reached.

    HTTP libraries put what the operating system said at the end of a chain of their own objects.
    """
    text = " ".join(str(error).split())
    if "Max retries exceeded" not in text:
        return text
    if "timed out" in text or "Timeout" in text:
        return "it does not answer in time"
    if "NameResolutionError" in text or "getaddrinfo" in text:
        return "its name is not known"
    found = re.search(r"\[Errno -?\d+\] ([\w ]+)", text)
    return found[1] if found else text.rpartition("(Caused by ")[2].rstrip(")")


def _is_output_closed() -> bool:
    """Return whether standard output is a pipe that nobody reads."""
    if not hasattr(select, "poll"):  # Windows
        return True
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in output.poll(0))


def _free_disk(path: Path) -> str:
    place = path.resolve()
    disk = next(folder for folder in (place, *place.parents) if folder.is_mount())
    return f": free some of the disk at {disk}, and run the same command again"


def printable(text: str) -> str:
    """Escape control characters, which a terminal would execute, and the ends of lines.

    Text from files, file names and servers goes through here before it is printed; the credentials
    of the URIs in it are replaced.
    """
    text = without_credentials(text)
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def printable_lines(text: str) -> str:
    """Escape control characters, and keep the ends of lines."""
    return "\n".join(map(printable, text.split("\n")))


class _PrintableRecord(logging.LogRecord):
    """A message of the log, whichever handler writes it: it may quote text from a file."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:  # noqa: ANN401 (logging's own)
        super().__init__(*arguments, **keywords)
        if self.exc_info:
            trace = logging.Formatter().formatException(self.exc_info)
            self.exc_text = printable_lines(trace)  # formatters take it from here

    def getMessage(self) -> str:  # noqa: N802 (logging's own)
        return printable_lines(super().getMessage().expandtabs(4))


def print_safely() -> None:
    """Make what this process logs and warns of printable, whichever handler or library does it."""
    logging.setLogRecordFactory(_PrintableRecord)
    warnings.formatwarning = _format_warning


def _format_warning(*arguments: Any, **keywords: Any) -> str:  # noqa: ANN401 (that of warnings)
    return printable_lines(_FORMAT_WARNING(*arguments, **keywords))


_FORMAT_WARNING = warnings.formatwarning


# A user or a user and a password between :// and the last @ before a slash; a password may have a
# slash of its own, which a port has not.
_USER = re.compile(r"(?<=://)(?:[^\s/:@]*:(?!\d+(?:/|$))[^\s'\"]*@|[^\s/]*@)")
_SECRET_PARAMETER = re.compile(
    r"([?&][\w.-]*(?:pass|pwd|token|secret|key|sig|credential|auth)[\w.-]*=)[^&#\s'\"]+", re.I
)


def without_credentials(text: str) -> str:
    """Replace the users, passwords, keys and tokens of the URIs in a text by ``***``.

    >>> without_credentials("at https://me:mine@host/a?b=1&token=t0")
    'at https://***@host/a?b=1&token=***'
    """
    return _SECRET_PARAMETER.sub(r"\1***", _USER.sub("***@", text))


def _exit(message: str, code: int) -> None:
    message = printable_lines(message)
    if is_verbose():
        print(printable_lines(traceback.format_exc()), file=sys.stderr)
    if code == 1:
        sys.exit(f"error: {message}")  # Python prints the message and exits with 1
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)
