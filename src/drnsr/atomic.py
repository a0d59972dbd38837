"""Write files and folders so that a reader never finds half of one."""

import errno
import hashlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST_SUFFIX = 16

# The disk, or the user's share of it, is full.
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; rename it to ``path`` when the block succeeds.

    The parent folder is made if it is missing. If the block fails, the temporary file is removed
    and ``path`` keeps its earlier content.

    Raises:
        OSError: if the folder cannot be made, or the disk is full.
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


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder to fill; rename it to ``folder`` when the block succeeds.

    An earlier ``folder`` is replaced. If the block fails, the new folder is removed and the earlier
    one stays.

    Raises:
        OSError: if the folder cannot be made, or the disk is full.
    """
    with temporary_folder(folder) as partial:
        yield partial
        try:
            partial.rename(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(folder)
            partial.rename(folder)


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside ``path``, which is removed after the block.

    If the process is killed, the folder is removed by the next call for the same ``path``.

    Raises:
        OSError: if the folder cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    partial = partial_path(path, str(os.getpid()))
    shutil.rmtree(partial, ignore_errors=True)  # left by a killed process of the same number
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def partial_path(path: Path, process: str) -> Path:
    """Return the temporary name beside ``path`` under which a process of this machine writes it.

    It is short however long the name is, so that it can be made wherever ``path`` can be. It keeps
    the suffix, by which libraries choose the format. It differs between machines that share the
    folder, because a process number means nothing on another machine.

    Args:
        path: the file or folder.
        process: the number of the process.
    """
    name = f"{platform.node()}/{path.name}"
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    suffix = path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""
    return path.with_name(f".{process}.partial.{digest}{suffix}")


def is_partial(path: Path) -> bool:
    """Return whether a file has a name of :func:`partial_path`."""
    return re.match(r"\.\d+\.partial\.[0-9a-f]{16}", path.name) is not None


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes of this machine left when they wrote ``path``."""
    for partial in path.parent.glob(".*.partial.*"):
        process = partial.name.split(".")[1]
        if partial == partial_path(path, process) and not _is_alive(process):
            if partial.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
            else:
                partial.unlink(missing_ok=True)


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        pass  # the process of another user, or not a number
    return True


def check_writable(folder: Path) -> None:
    """Check, before hours of work, that files can be written to ``folder``.

    Raises:
        OSError: if it is missing and cannot be made, or is read-only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".{os.getpid()}.probe"
    probe.touch()
    probe.unlink()


@contextmanager
def naming_file(path: Path, partial: Path | None = None) -> Iterator[None]:
    """Add the name of the file to an OSError of the block; that of a failed ``write`` has none.

    That of a full disk gets it in any case.

    Args:
        path: the name.
        partial: the temporary name of the file, which is replaced by ``path`` in the error.
    """
    try:
        yield
    except OSError as error:
        unnamed = error.filename in (None, partial and str(partial))
        if error.errno is not None and (unnamed or error.errno in _FULL_DISK):
            name = _fuller(path) if error.errno in _FULL_DISK else path
            raise OSError(error.errno, os.strerror(error.errno), str(name)) from error
        raise


def _fuller(path: Path) -> Path:
    """Return the path, or the folder of temporary files if its disk has less space.

    Some libraries write a file there first, and name it in their errors.
    """
    temporary = Path(tempfile.gettempdir())
    here, there = (shutil.disk_usage(folder).free for folder in (path.parent, temporary))
    return temporary if there < here else path


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, whole or not at all."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
