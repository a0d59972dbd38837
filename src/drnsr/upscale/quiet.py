"""Silence of the libraries that read and write pictures: `drnsr upscale` reports by itself.

With ``-v`` everything that they print is shown.
"""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

from drnsr.verbosity import is_verbose

_STDERR = 2  # the descriptor
_LOGGERS = ("tifffile", "imagecodecs", "PIL", "nibabel.global", "pydicom")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide what libraries of Python log and warn of, which are unusual files."""
    if is_verbose():
        yield
        return
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


@contextmanager
def quiet_c_libraries() -> Iterator[None]:
    """Hide what C libraries print: they write to the descriptor of standard error itself.

    Standard error of Python is a copy of the descriptor meanwhile. It concerns the whole process
    and those that it starts.
    """
    if is_verbose():
        yield
        return
    with ExitStack() as stack:
        try:
            kept = os.dup(_STDERR)
        except OSError:  # it is closed
            yield
            return
        stack.callback(os.close, kept)
        if _is_standard_error(sys.stderr):
            stack.enter_context(_python_writes_to(kept))
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), _STDERR)
        stack.callback(os.dup2, kept, _STDERR)
        yield


def _is_standard_error(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.fileno() == _STDERR
    except (OSError, ValueError):  # it is no file, or closed
        return False


@contextmanager
def _python_writes_to(descriptor: int) -> Iterator[None]:
    """Let ``sys.stderr`` and the handlers of logging that share it write elsewhere."""
    before = sys.stderr
    handlers = [
        each
        for each in logging.getLogger().handlers
        if isinstance(each, logging.StreamHandler) and each.stream is before
    ]
    before.flush()
    with open(
        descriptor, "w", encoding=before.encoding, errors=before.errors, buffering=1, closefd=False
    ) as stream:
        _redirect(handlers, stream)
        try:
            yield
        finally:
            _redirect(handlers, before)


def _redirect(handlers: "list[logging.StreamHandler[Any]]", stream: TextIO) -> None:
    sys.stderr = stream
    for each in handlers:
        each.setStream(stream)
