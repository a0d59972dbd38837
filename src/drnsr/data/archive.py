"""Unpacking the pictures of an untrusted archive: a hash does not make its content harmless.

Pictures go into one folder under the last part of their names, so that no name can lead out of it.
An archive with a name that would lead out is refused all the same.
"""

import functools
import gzip
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from lzma import LZMAError
from pathlib import Path, PureWindowsPath
from typing import IO, Literal

from drnsr.atomic import atomic_folder, remove_leftovers
from drnsr.data.names import is_portable
from drnsr.errors import UserError, exit_on_error
from drnsr.images.files import SUFFIXES

MAX_UNPACKED = 64 * 2**30
"""Upper bound of the unpacked size of an archive in bytes: several times the largest data set."""

_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
# The exceptions of the standard library's readers for damaged archives.
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error),
    *(LZMAError, EOFError, ValueError, RecursionError),
)
_ENCRYPTED = 1  # a bit of a zip member's flags


class ArchiveError(UserError):
    """An archive that is damaged, dangerous or has no pictures; the message names the member."""


def is_archive(name: str) -> bool:
    """Return whether a file is an archive, by its name."""
    return name.lower().endswith(_SUFFIXES)


def unpack_in_process(
    archive: Path, folder: Path, *, members: str, max_bytes: int, seconds: float | None = None
) -> None:
    """Call :func:`unpack_pictures` in a process that is ended when it takes too long.

    Python's readers are written in Python and C alike, and some content keeps them busy for hours.

    Args:
        archive: see :func:`unpack_pictures`, like the next three.
        folder: where the pictures go.
        members: which members.
        max_bytes: of all members.
        seconds: the time limit; None for two minutes and a second for each 256 KiB of the archive.

    Raises:
        ArchiveError: see :func:`unpack_pictures`; or it takes too long, or the process was killed.
    """
    if folder.is_dir():
        return
    if seconds is None:
        seconds = 120 + archive.stat().st_size / 2**18
    arguments = [str(archive), str(folder), members, str(max_bytes)]
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "drnsr.data.archive", *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ArchiveError(f"{archive}: not unpacked after {seconds:.0f} s: damaged?") from error
    finally:
        remove_leftovers(folder)
    if ended.returncode:
        reason = (ended.stderr.strip().splitlines() or ["its process was ended"])[-1]
        raise ArchiveError(reason.removeprefix("error: "))


def unpack_pictures(
    archive: Path, folder: Path, *, members: str = "*", max_bytes: int = MAX_UNPACKED
) -> None:
    """Unpack the pictures of a zip or tar file into ``folder``, which appears when it is complete.

    Args:
        archive: a zip, tar or gzipped tar file.
        folder: where the pictures go, each under the last part of its name; if it exists, nothing
            is done.
        members: a pattern of shell wildcards for the members' full names; ``*`` matches ``/`` too.
        max_bytes: upper bound of the unpacked size of all members together.

    Raises:
        ArchiveError: if the archive is damaged or too large, has no such pictures or two with the
            same name, or has a member with an absolute path or ``..``, a link or a device.
    """
    if folder.is_dir():
        return
    walk = _zip_members if archive.suffix.lower() == ".zip" else _tar_members
    try:
        with atomic_folder(folder) as partial:
            _write_pictures(walk(archive), partial, members, max_bytes)
    except ArchiveError as error:
        raise ArchiveError(f"{archive}: {error}") from error
    except _DAMAGED as error:
        raise ArchiveError(f"{archive}: a damaged archive, or none ({error})") from error
    except NotImplementedError as error:
        raise ArchiveError(f"{archive}: an unsupported compression ({error})") from error


@dataclass(frozen=True)
class _Member:
    """A member as its archive describes it; ``open`` reads at most ``size`` bytes."""

    name: str
    size: int
    is_file: bool
    is_folder: bool
    open: Callable[[], IO[bytes] | None]


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            if info.flag_bits & _ENCRYPTED:
                raise ArchiveError(f"{info.filename}: encrypted")
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 if it was not made under Unix
            is_file = not info.is_dir() and kind in (0, stat.S_IFREG)
            opened = functools.partial(packed.open, info)
            yield _Member(info.filename, info.file_size, is_file, info.is_dir(), opened)


def _tar_members(archive: Path) -> Iterator[_Member]:
    mode: Literal["r:", "r:gz"] = "r:" if archive.suffix.lower() == ".tar" else "r:gz"
    with tarfile.open(archive, mode) as packed:
        for info in packed:
            opened = functools.partial(packed.extractfile, info)
            yield _Member(info.name, info.size, info.isreg(), info.isdir(), opened)
        _check_end(packed)


def _check_end(packed: tarfile.TarFile) -> None:
    """Check the empty blocks at the end of a tar; tarfile takes a broken header for the end too."""
    assert packed.fileobj is not None
    packed.fileobj.seek(packed.offset)  # where tarfile stopped reading headers
    if packed.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("cut short, or broken in the middle")
    while packed.fileobj.read(2**20):  # gzip's checksum comes after the last byte
        pass


def _write_pictures(members: Iterator[_Member], folder: Path, pattern: str, max_bytes: int) -> None:
    total = 0
    for member in members:
        # Parsed as on Windows, which knows both separators, and drives.
        path = PureWindowsPath(member.name)
        if path.anchor or ".." in path.parts:
            raise ArchiveError(f"{member.name}: leads out of the archive's folder")
        if not (member.is_file or member.is_folder):
            raise ArchiveError(f"{member.name}: a link or a device, which no data set needs")
        total += member.size
        if total > max_bytes:
            raise ArchiveError(f"unpacks to more than {max_bytes} bytes, which is the limit")
        if member.is_file and _is_picture(member.name, path.name, pattern):
            if not is_portable(path.name):
                raise ArchiveError(f"{member.name}: a name that not every system can hold")
            if (folder / path.name).exists():
                raise ArchiveError(f"{member.name}: another picture in it has the same name")
            _write(member, folder / path.name)
    if not any(folder.iterdir()):
        raise ArchiveError(f"no pictures in it that match {pattern!r}")


def _is_picture(name: str, bare: str, pattern: str) -> bool:
    # macOS adds files `._NAME.png` to archives, which are not pictures.
    is_picture = Path(bare).suffix.lower() in SUFFIXES and not bare.startswith(".")
    return is_picture and fnmatchcase(name, pattern)


def _write(member: _Member, path: Path) -> None:
    source = member.open()
    assert source is not None  # None is only for what is not a file
    with source, path.open("xb") as target:
        shutil.copyfileobj(source, target, 2**20)
        target.flush()
        os.fsync(target.fileno())  # a folder of this name counts as complete
    if path.stat().st_size != member.size:
        raise ArchiveError(f"{member.name}: cut short")


if __name__ == "__main__":
    with exit_on_error():
        unpack_pictures(
            Path(sys.argv[1]), Path(sys.argv[2]), members=sys.argv[3], max_bytes=int(sys.argv[4])
        )
