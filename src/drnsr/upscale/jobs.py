"""Which pictures there are to enlarge, and what becomes of each."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drnsr.atomic import is_partial
from drnsr.errors import UserError
from drnsr.images.file import READ_ONLY, SUFFIXES, Format
from drnsr.images.files import ImageError
from drnsr.images.reading import format_of
from drnsr.upscale.provenance import read_provenance

_CANONICAL: dict[Format, str] = {
    "png": ".png",
    "jpeg": ".jpg",
    "webp": ".webp",
    "tiff": ".tif",
    "bmp": ".bmp",
    "ppm": ".ppm",
    "dicom": ".dcm",
    "avif": ".avif",
    "gif": ".gif",
    "jp2": ".jp2",
    "jxl": ".jxl",
    "qoi": ".qoi",
    "tga": ".tga",
}

# They begin as TIFF does, and hold what a sensor saw under its colour filter.
_RAW = frozenset({".arw", ".cr2", ".dng", ".iiq", ".nef", ".nrw", ".orf", ".pef", ".rw2", ".srw"})
_OF_DICOM = "DICOMDIR"  # DICOM by its beginning: the list of the pictures on a medium
_APPLE_DOUBLE = b"\0\x05\x16\x07"


@dataclass(frozen=True)
class Job:
    """One file to enlarge into another.

    Attributes:
        source: the picture.
        target: what is written.
        is_done: the target is there already, and is not to be made again.
        problem: why it cannot be written there; empty where it can.
    """

    source: Path
    target: Path
    is_done: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Plan:
    """What there is to do.

    Attributes:
        jobs: in the order of the paths.
        notes: of what was left out.
    """

    jobs: list[Job]
    notes: list[str]


def plan(
    paths: Sequence[str], out: Path, suffix: str, file_format: Format | None, *, overwrite: bool
) -> Plan:
    """Find the pictures, and say what becomes of each.

    Args:
        paths: files, folders and patterns.
        out: folder of what is made; below it are the folders that were below those of ``paths``.
        suffix: of the new names, before the one of the format.
        file_format: of what is made; None for that of each picture's name.
        overwrite: make again what is there.

    Raises:
        UserError: there is no such file, folder or match.
    """

    def target_of(source: Path, name: Path) -> Path:
        return out / name.with_name(f"{name.stem}{suffix}{_ending(source, name, file_format)}")

    search = _Search(out, target_of)
    for text in paths:
        search.add(text)
    wanted = [(source, target_of(source, name)) for source, name in search.found]
    taken: dict[Path, Path] = {}
    for source, target in wanted:
        if source.suffix == target.suffix:  # before those whose name has to change
            taken.setdefault(target, source)
    jobs = [_job(*each, taken, overwrite=overwrite) for each in dict.fromkeys(wanted)]
    return Plan(jobs, search.notes)


def _ending(source: Path, name: Path, file_format: Format | None) -> str:
    named = SUFFIXES.get(name.suffix.lower())
    if named is not None and named not in READ_ONLY and file_format in (None, named):
        return name.suffix
    within = file_format or named or _format_within(source)
    return _CANONICAL[READ_ONLY.get(within, within)]


def _format_within(source: Path) -> Format:
    try:
        return format_of(source)
    except ImageError:
        return "png"  # opening it will say what is wrong


def _job(source: Path, target: Path, taken: dict[Path, Path], *, overwrite: bool) -> Job:
    other = taken.setdefault(target, source)
    if other != source:
        return Job(source, target, problem=f"would become {target}, as {other} does")
    try:
        if _real(target) == _real(source):
            return Job(source, target, problem="would be written over itself: take another --out")
        return Job(source, target, is_done=target.exists() and not overwrite)
    except OSError as error:  # such as a name that is too long
        return Job(source, target, problem=f"{target}: {error.strerror}")


def _real(path: Path) -> Path:
    """As ``Path.resolve``, which raises where links go round in a circle."""
    return Path(os.path.realpath(path))


@dataclass
class _Search:
    """Collects pictures.

    Attributes:
        out: folder of what is made, which is not looked for in a folder around it.
        target_of: what becomes of a file with a name below ``out``.
        found: each picture, and its name below the output folder.
        notes: of what was left out.
    """

    out: Path
    target_of: Callable[[Path, Path], Path]
    found: list[tuple[Path, Path]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Add a file, what a folder holds, or what a pattern names.

        Raises:
            UserError: there is nothing of it.
        """
        path = Path(text)
        if path.is_dir():
            self._add_folder(path)
        elif path.exists():
            self.found.append((path, Path(path.name)))
        else:
            files = self._pictures(text, _matches(text))
            if not files:
                raise UserError(f"{text}: there is no such picture or folder")
            self.found += [(file, Path(file.name)) for file in files]

    def _add_folder(self, folder: Path) -> None:
        out, root = _real(self.out), _real(folder)
        below = sorted(folder.rglob("*"))
        if root in out.parents:
            below = [file for file in below if out not in _real(file).parents]
        files = [(file, file.relative_to(folder)) for file in self._pictures(str(folder), below)]
        if out == root or out in root.parents:
            files = self._without_made(folder, files)
        if not files:
            raise UserError(f"{folder}: no pictures in this folder")
        self.found += files

    def _without_made(
        self, folder: Path, files: list[tuple[Path, Path]]
    ) -> list[tuple[Path, Path]]:
        """Pictures are written among those that they are made of: these alone are enlarged."""
        targets = {_real(self.target_of(file, name)) for file, name in files}
        kept = [
            (file, name)
            for file, name in files
            if _real(file) not in targets and read_provenance(file) is None
        ]
        if len(kept) < len(files):
            self.notes.append(f"{folder}: {len(files) - len(kept)} left out that drnsr made")
        return kept

    def _pictures(self, where: str, files: Sequence[Path]) -> list[Path]:
        """Those that are pictures by their name or content; the others are noted."""
        pictures = []
        others: Counter[str] = Counter()
        for file in files:
            other = _other(file)
            if other is None:
                pictures.append(file)
            elif other:
                others[other] += 1
        if others:
            counted = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items()))
            self.notes.append(f"{where}: left out as no pictures that are known here: {counted}")
        return pictures


def _matches(pattern: str) -> list[Path]:
    path = Path(pattern)
    try:
        return sorted(Path(path.anchor or ".").glob(path.relative_to(path.anchor).as_posix()))
    except (ValueError, NotImplementedError, OSError):
        return []  # no pattern


def _other(file: Path) -> str | None:
    """What a file is that is no picture; None for a picture, empty for what is not told."""
    suffix = file.suffix.lower()
    try:
        if is_partial(file):
            return ""
        if not file.is_file():
            # A broken link is told when it is opened.
            return "" if file.exists() or suffix not in SUFFIXES else None
        if file.name.startswith("._") and _begins(file, _APPLE_DOUBLE):
            return "._ files of macOS"
        if suffix in SUFFIXES:
            return None
        if suffix not in _RAW and file.name.upper() != _OF_DICOM:
            format_of(file)
            return None
    except ImageError:
        pass
    except OSError:
        return None if suffix in SUFFIXES else "that cannot be read"
    return suffix or "without a suffix"


def _begins(file: Path, start: bytes) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(start)) == start
