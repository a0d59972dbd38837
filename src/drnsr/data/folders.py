"""Copying pictures from a user's folders: which files are copied, and under which names."""

import logging
import os
import shutil
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from drnsr.data.pixels import Pixels
from drnsr.data.prepared import DataError
from drnsr.images.codecs import split_name
from drnsr.images.files import SUFFIXES, VOLUME_SUFFIXES

log = logging.getLogger("drnsr")

_MAX_NAMED = 3  # ignored files of a kind that a message names


@dataclass(frozen=True)
class _Found:
    """The content of a user's folder.

    Attributes:
        pictures: files by the names of their copies.
        others: files in unknown formats.
        links: links to folders, which were followed.
        loops: links to folders that contain them.
    """

    pictures: dict[str, Path]
    others: list[Path]
    links: list[Path]
    loops: list[Path]


def suffixes_of(choices: Pixels | None) -> frozenset[str]:
    """Return the suffixes of the files that a data set may contain: more for one of bands."""
    return SUFFIXES if choices is None else SUFFIXES | VOLUME_SUFFIXES


def copy_pictures(source: Path, folder: Path, suffixes: frozenset[str] = SUFFIXES) -> list[Path]:
    """Copy every picture of a user's folder and its subfolders into ``folder``.

    A warning names files with unknown suffixes, which are ignored.

    Args:
        source: the user's folder. Links are followed, each folder is read once, and hidden files
            (``.name``) are ignored.
        folder: the flat target; names of subfolders become part of the pictures' names.
        suffixes: of the files that are copied, in lower case.

    Returns:
        The links to folders that were followed.

    Raises:
        DataError: if the folder is missing or has no pictures, two copies would have the same name,
            or some pictures cannot be read (the message names all of them).
    """
    found = _find(source, suffixes)
    pictures, others = found.pictures, found.others
    for loop in found.loops:
        log.warning("%s: not followed, because it links to a folder that contains it", loop)
    if not pictures:
        instead = f"; it has {_counted(source, others)}" if others else ""
        raise DataError(
            f"{source}: no pictures in this folder{instead} (known: {' '.join(sorted(suffixes))})"
        )
    if others:
        log.warning(
            "%s: ignored files in unknown formats: %s",
            source,
            _counted(source, others),
        )
    folder.mkdir(parents=True, exist_ok=True)
    unreadable = []
    for name, picture in pictures.items():
        if reason := _copy(picture, folder / name):
            unreadable.append(f"{picture}: {reason}")
    if unreadable:
        raise DataError(
            f"{len(unreadable)} of {len(pictures)} pictures cannot be read; repair or remove them: "
            + "; ".join(unreadable)
        )
    return found.links


def copy_pairs(source: Path, folder: Path) -> list[Path]:
    """Copy a user's folders ``hr``, ``lr_x2`` and so on to folders of the same names.

    Returns:
        The links to folders that were followed.

    Raises:
        DataError: if there is no ``hr`` or no ``lr_x...``, or one of them has no pictures.
    """
    low = sorted(path for path in source.glob("lr_x*") if path.is_dir())
    if not low:
        raise DataError(
            f"{source}: pairs are the pictures of {source / 'hr'} with those of"
            f" {source / 'lr_x2'} (for scale 2), and there is no folder lr_x..."
        )
    parts = (source / "hr", *low)
    links = [part for part in parts if part.is_symlink()]
    return links + [link for part in parts for link in copy_pictures(part, folder / part.name)]


def original_paths(
    source: Path, copies: Path, suffixes: frozenset[str] = SUFFIXES
) -> dict[Path, Path]:
    """Return the user's file of each copy, for messages.

    Args:
        source: the user's folder.
        copies: the folder that :func:`copy_pictures` filled from it.
        suffixes: those that it was called with.

    Returns:
        The user's files by the paths of their copies; empty if the user's folder is gone.
    """
    try:
        pictures = _find(source, suffixes).pictures
    except (DataError, OSError):
        return {}
    return {copies / name: picture for name, picture in pictures.items()}


def _find(source: Path, suffixes: frozenset[str]) -> _Found:
    if not source.is_dir():
        raise DataError(f"{source}: there is no such folder of pictures")
    files, links, loops = _files(source)
    # data/own and data/own_test have a README.md of their own.
    others = [
        file
        for file in files
        if split_name(file)[1].lower() not in suffixes and file != source / "README.md"
    ]
    pictures: dict[str, Path] = {}
    for file in files:
        if split_name(file)[1].lower() not in suffixes:
            continue
        name = "__".join(file.relative_to(source).parts)
        if name in pictures:
            raise DataError(
                f"{pictures[name]} and {file} would both be called {name}; rename one of them"
            )
        pictures[name] = file
    return _Found(pictures, others, links, loops)


def _files(source: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Return all visible files, the links that were followed, and those that loop."""

    def fail(error: OSError) -> None:
        raise error  # without permission to read a folder

    found: list[Path] = []
    links: list[Path] = []
    loops: list[Path] = []
    visited: set[Path] = set()
    starts = deque([source])  # links are followed after all real folders
    while starts:
        start = starts.popleft()
        if start != source and start.resolve() not in visited:
            links.append(start)
        for root, folders, files in os.walk(start, onerror=fail):
            here, real = Path(root), Path(root).resolve()
            if real in visited:
                folders.clear()
                continue
            visited.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found += [here / name for name in files if not name.startswith(".")]
            for link in (here / name for name in folders if (here / name).is_symlink()):
                is_loop = link.resolve() in (real, *real.parents)
                (loops if is_loop else starts).append(link)
    return sorted(found), links, loops


def _counted(source: Path, files: list[Path]) -> str:
    """Count files by suffix, with names: ``2 .heic (a.heic, b.heic), 1 .txt (c.txt)``."""
    kinds: dict[str, list[str]] = {}
    for file in files:
        kind = file.suffix.lower() or "without a suffix"
        kinds.setdefault(kind, []).append(file.relative_to(source).as_posix())
    parts = []
    for kind, names in sorted(kinds.items()):
        more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
        parts.append(f"{len(names)} {kind} ({', '.join(names[:_MAX_NAMED])}{more})")
    return ", ".join(parts)


def _copy(picture: Path, copy: Path) -> str | None:
    """Copy a file; return the reason if it cannot be read."""
    if not picture.is_file():
        return "a broken link" if picture.is_symlink() else "not a file"
    try:
        shutil.copyfile(picture, copy)
    except OSError as error:
        if error.filename != os.fspath(picture):
            raise  # the copy cannot be written
        return error.strerror
    return None
