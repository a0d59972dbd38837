"""Writing files so that a reader never meets half of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; rename it into place when the block succeeds.

    The folder is made when missing. If the block fails, the temporary file is removed and whatever
    stood at ``path`` before still stands there.

    Raises:
        OSError: the folder cannot be made, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The name keeps its suffix: libraries choose the format by it.
    partial = path.with_name(f".{os.getpid()}.partial.{path.name}")
    try:
        with naming_file(path):
            yield partial
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


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
def naming_file(path: Path) -> Iterator[None]:
    """Give an OSError of the block the name of the file, which a failed ``write`` does not know."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, whole or not at all."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
