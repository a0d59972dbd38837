"""Registries of data sets: the files of a data set, and fetching them into one folder.

A registry is a text file with a line ``name sha256 url`` for each file (pooch's format). A url is

- http(s);
- ``wheel://DISTRIBUTION/PATH``: a file in an installed package;
- ``manual:PAGE``: a file that the user has to get at PAGE, often under an agreement; its sha256 may
  be ``-`` for unknown.

A .zip, .tar, .tar.gz or .tgz file stands for the pictures in it. A pattern after ``#`` in the url
selects some of them: ``https://HOST/All.zip#All/HR/*.png``.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urldefrag, urlparse

import pooch
from filelock import FileLock

from drnsr.atomic import atomic_folder
from drnsr.data.archive import MAX_UNPACKED, is_archive, unpack_in_process
from drnsr.data.download import FetchError, RemoteFile, RetryPolicy, download_files, link_or_copy
from drnsr.data.names import is_portable
from drnsr.hashing import sha256_of

_UNKNOWN = "-"


@dataclass(frozen=True)
class RegistryEntry:
    """A file of a data set.

    Attributes:
        name: name of the local file, which may include folders.
        sha256: in hex, or ``-`` for a manual file whose hash is unknown.
        url: its source.
        members: pattern of the pictures to use, if it is an archive.
    """

    name: str
    sha256: str
    url: str
    members: str

    @property
    def is_manual(self) -> bool:
        """Whether the user has to get it."""
        return self.url.startswith("manual:")

    @property
    def is_remote(self) -> bool:
        """Whether it comes from the web, so that a mirror can replace its source."""
        return self.url.startswith(("http://", "https://"))


def read_registry(path: Path) -> list[RegistryEntry]:
    """Read a registry file.

    Raises:
        FetchError: if the file is missing or not text, or a line is not ``name sha256 url``.
    """
    if not path.is_file():
        raise FetchError(f"{path}: there is no such registry file")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise FetchError(f"{path}: not UTF-8 text ({error.reason})") from error
    entries = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split()
        if not _is_well_formed(fields):
            raise FetchError(f"{path}:{number}: expected `name sha256 url`, found {line!r}")
        name, sha256, url = fields
        url, members = urldefrag(url)
        entries.append(RegistryEntry(name, sha256.lower(), url, members or "*"))
    return entries


def _is_well_formed(fields: list[str]) -> bool:
    if len(fields) != 3:
        return False
    name, sha256, url = fields
    try:
        parsed = urlparse(url)
    except ValueError:  # for example an unclosed bracket
        return False
    is_manual = parsed.scheme == "manual"
    return (
        all(map(is_portable, name.split("/")))
        and bool(re.fullmatch("[0-9a-fA-F]{64}", sha256) or (is_manual and sha256 == _UNKNOWN))
        # In a mirror folder, host and path become file names.
        and _stays_inside(parsed.netloc + unquote(parsed.path))
        and (is_manual or (parsed.scheme in ("http", "https", "wheel") and parsed.netloc != ""))
    )


def _stays_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return name.isprintable() and "\\" not in name and parts[:1] != ("/",) and ".." not in parts


def flat_name(name: str) -> str:
    """Return the name of a file in the flat folder of a data set: ``a__b.png`` of ``a/b.png``."""
    return "__".join(PurePosixPath(name).parts)


def fetch_registry(
    registry: Path,
    downloads: Path,
    folder: Path,
    *,
    mirror: str | None = None,
    connections: int = 4,
    retry_policy: RetryPolicy | None = None,
    max_unpacked: int = MAX_UNPACKED,
) -> None:
    """Fetch every picture of a registry into ``folder``, through the folder ``downloads``.

    Files in ``downloads`` with the right hash are not fetched again. ``folder`` is flat: folders in
    a file's name become part of it. It is replaced once all files are complete.

    Args:
        registry: the list of files.
        downloads: the files are kept here, in a folder with the name of the registry.
        folder: where the pictures go.
        mirror: a folder or URL that has the file of ``https://HOST/PATH`` at ``HOST/PATH``.
        connections: number of simultaneous downloads.
        retry_policy: how to retry failed downloads.
        max_unpacked: upper bound of the unpacked size of an archive in bytes.

    Raises:
        FetchError: if a file cannot be fetched, or is not the expected one.
        ArchiveError: if an archive is damaged or dangerous.
    """
    entries = read_registry(registry)
    kept = downloads / registry.stem
    kept.mkdir(parents=True, exist_ok=True)
    # Queued experiments share the downloads: the second one finds the files of the first.
    with FileLock(kept.with_name(f".{kept.name}.lock")):
        _check_manual_files([entry for entry in entries if entry.is_manual], kept)
        files = [
            RemoteFile(entry.url, entry.sha256, kept / entry.name)
            for entry in entries
            if not entry.is_manual
        ]
        title = f"fetching {registry.stem}"
        download_files(
            files, title, mirror=mirror, connections=connections, retry_policy=retry_policy
        )
        _fill(folder, _pictures(entries, kept, max_unpacked))


def fetch_file(
    registry: Path,
    path: Path,
    *,
    mirror: str | None = None,
    retry_policy: RetryPolicy | None = None,
) -> None:
    """Fetch the only file of a registry to ``path``, unless it exists already.

    Raises:
        FetchError: if it cannot be fetched, or is not the expected one.
    """
    entries = read_registry(registry)
    if len(entries) != 1 or entries[0].is_manual:
        raise FetchError(f"{registry}: expected one file that can be fetched")
    path.parent.mkdir(parents=True, exist_ok=True)
    file = RemoteFile(entries[0].url, entries[0].sha256, path)
    with FileLock(path.with_name(f".{path.name}.lock")):
        download_files(
            [file], f"fetching {registry.stem}", mirror=mirror, retry_policy=retry_policy
        )


def _check_manual_files(entries: Sequence[RegistryEntry], kept: Path) -> None:
    missing = [entry for entry in entries if not (kept / entry.name).is_file()]
    if missing:
        names = ", ".join(entry.name for entry in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        page = missing[0].url.removeprefix("manual:") or "their owner"
        raise FetchError(
            f"{kept.name}: {names}{more} cannot be downloaded automatically (some owners require an"
            f" agreement): get them from {page}, and put them into {kept}"
        )
    for entry in entries:
        found = pooch.file_hash(str(kept / entry.name))
        if entry.sha256 not in (_UNKNOWN, found):
            raise FetchError(
                f"{kept / entry.name}: not the expected file: expected sha256 {entry.sha256}"
                f" but found {found}; replace it"
            )


def _pictures(
    entries: Sequence[RegistryEntry], kept: Path, max_unpacked: int
) -> Iterator[tuple[str, Path]]:
    """Yield the flat names of a set's pictures, and their files."""
    for entry in entries:
        file = kept / entry.name
        if not is_archive(entry.name):
            yield flat_name(entry.name), file
            continue
        # Another version of the archive, or another pattern, gets another folder.
        sha256 = pooch.file_hash(str(file)) if entry.sha256 == _UNKNOWN else entry.sha256
        choice = sha256_of([sha256.encode(), entry.members.encode()])[:16]
        unpacked = file.with_name(f"{file.name}.{choice}.unpacked")
        unpack_in_process(file, unpacked, members=entry.members, max_bytes=max_unpacked)
        for picture in sorted(unpacked.iterdir()):
            yield picture.name, picture


def _fill(folder: Path, pictures: Iterable[tuple[str, Path]]) -> None:
    """Fill a folder, which replaces an older one when it is complete."""
    with atomic_folder(folder) as partial:
        for name, picture in pictures:
            if (partial / name).exists():
                raise FetchError(f"{picture}: another file of the set is called {name} too")
            link_or_copy(picture, partial / name)
