"""The user's own folders of pictures: which files are taken, and what their copies are called."""

import logging
import os
import shutil
from collections import deque
from pathlib import Path

from drnsr.data.packing import DataError
from drnsr.imaging.files import SUFFIXES

log = logging.getLogger("drnsr")

_NAMED = 3  # files of a kind, of those that are left out


def copy_pictures(source: Path, folder: Path) -> None:
    """Bring every picture of a user's folder (and the folders in it) into ``folder``.

    A warning tells what is left out because its suffix is of no format that is read.

    Args:
        source: links in it are followed, each folder is taken once, and what is hidden (``.name``)
            is not taken; a picture is told by its suffix.
        folder: is flat: folders within folders become part of the pictures' names.

    Raises:
        DataError: the folder is missing or has no pictures, two would have the same name, or some
            cannot be read (all such are named).
    """
    pictures, others, loops = _sorted_out(source)
    for loop in loops:
        log.warning("%s: not followed, for it leads to a folder that it is in", loop)
    if not pictures:
        found = f"; it has {_counted(source, others)}" if others else ""
        raise DataError(
            f"{source}: no pictures in this folder{found} (known: {' '.join(sorted(SUFFIXES))})"
        )
    if others:
        log.warning(
            "%s: left out, for they are in no format that is read here: %s",
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


def copy_pairs(source: Path, folder: Path) -> None:
    """Bring a user's ``hr`` and every ``lr_x2`` and the like into folders of the same names.

    Raises:
        DataError: there is no ``hr`` or no ``lr_x...``, or one of them has no pictures.
    """
    low = sorted(path for path in source.glob("lr_x*") if path.is_dir())
    if not low:
        raise DataError(
            f"{source}: pairs are the pictures of {source / 'hr'} with those of"
            f" {source / 'lr_x2'} (for scale 2), and there is no folder lr_x..."
        )
    for part in (source / "hr", *low):
        copy_pictures(part, folder / part.name)


def users_own(source: Path, copies: Path) -> dict[Path, Path]:
    """The user's own file of each copy, for messages.

    Args:
        source: the user's folder.
        copies: the folder that :func:`copy_pictures` filled from it.

    Returns:
        The user's files by the paths of their copies; none where the user's folder is gone.
    """
    try:
        pictures, *_ = _sorted_out(source)
    except (DataError, OSError):
        return {}
    return {copies / name: picture for name, picture in pictures.items()}


def _sorted_out(source: Path) -> tuple[dict[str, Path], list[Path], list[Path]]:
    """The pictures by the names of their copies; the other files; and links that are loops."""
    if not source.is_dir():
        raise DataError(f"{source}: there is no such folder of pictures")
    pictures: dict[str, Path] = {}
    others = []
    files, loops = _files(source)
    for file in files:
        if file.suffix.lower() not in SUFFIXES:
            others.append(file)
            continue
        name = "__".join(file.relative_to(source).parts)
        if name in pictures:
            raise DataError(
                f"{pictures[name]} and {file} would both be called {name}; rename one of them"
            )
        pictures[name] = file
    return pictures, others, loops


def _files(source: Path) -> tuple[list[Path], list[Path]]:
    """Every file that is not hidden, each folder's once; and links to a folder that they are in."""

    def fail(error: OSError) -> None:
        raise error  # a folder that may not be read

    found: list[Path] = []
    loops: list[Path] = []
    seen: set[Path] = set()
    roots = deque([source])  # links come after the folders themselves
    while roots:
        for root, folders, files in os.walk(roots.popleft(), onerror=fail):
            here, real = Path(root), Path(root).resolve()
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found += [here / name for name in files if not name.startswith(".")]
            for link in (here / name for name in folders if (here / name).is_symlink()):
                is_loop = link.resolve() in (real, *real.parents)
                (loops if is_loop else roots).append(link)
    return sorted(found), loops


def _counted(source: Path, files: list[Path]) -> str:
    """How many files of each suffix, and which: ``2 .heic (a.heic, b.heic), 1 .txt (c.txt)``."""
    kinds: dict[str, list[str]] = {}
    for file in files:
        kind = file.suffix.lower() or "without a suffix"
        kinds.setdefault(kind, []).append(file.relative_to(source).as_posix())
    told = []
    for kind, names in sorted(kinds.items()):
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        told.append(f"{len(names)} {kind} ({', '.join(names[:_NAMED])}{more})")
    return ", ".join(told)


def _copy(picture: Path, copy: Path) -> str | None:
    """Copy a file; why it cannot be read, if it cannot."""
    if not picture.is_file():
        return "a link to nothing" if picture.is_symlink() else "not a file"
    try:
        shutil.copyfile(picture, copy)
    except OSError as error:
        if error.filename != os.fspath(picture):
            raise  # it is the copy that cannot be written
        return error.strerror
    return None
