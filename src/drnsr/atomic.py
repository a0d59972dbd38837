"""Writing files so that a reader never meets half of one."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST_SUFFIX = 16


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; rename it into place when the block succeeds.

    The folder is made when missing. If the block fails, the temporary file is removed and whatever
    stood at ``path`` before still stands there.

    Raises:
        OSError: the folder cannot be made, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path, str(os.getpid()))
    try:
        with naming_file(path, partial):
            yield partial
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def partial_path(path: Path, process: str) -> Path:
    """The temporary name beside ``path`` under which a process writes it.

    It is short however long the name is, so that it can be made wherever that can. It keeps the
    suffix: libraries choose the format by it.
    """
    name = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    suffix = path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""
    return path.with_name(f".{process}.partial.{name}{suffix}")


def is_partial(path: Path) -> bool:
    """Whether a file has a name of :func:`partial_path`."""
    return re.match(r"\.\d+\.partial\.[0-9a-f]{16}", path.name) is not None


def remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed have left of writing this very ``path``."""
    for partial in path.parent.glob(".*.partial.*"):
        process = partial.name.split(".")[1]
        if partial == partial_path(path, process) and not _is_alive(process):
            partial.unlink(missing_ok=True)


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        pass  # another's, or no process at all
    return True


def check_writable(folder: Path) -> None:
    """Find out now, and not after hours of work, whether files can be written to ``folder``.

    Raises:
        OSError: it is missing and cannot be made, or is read-only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".{os.getpid()}.probe"
    probe.touch()
    probe.unlink()


@contextmanager
def naming_file(path: Path, partial: Path | None = None) -> Iterator[None]:
    """Give an OSError of the block the name of the file, which a failed ``write`` does not know.

    Args:
        path: the name.
        partial: a temporary name of the file, which means nothing to the person who reads it.
    """
    try:
        yield
    except OSError as error:
        unnamed = error.filename in (None, partial and str(partial))
        if unnamed and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, whole or not at all."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
