"""The jobs of `drnsr upscale`: which files to upscale, and where each result is written."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from drnsr.atomic import is_partial
from drnsr.errors import UserError
from drnsr.images.codec import Codec
from drnsr.images.codecs import CODECS, codec_of_suffix, split_name
from drnsr.images.errors import ImageError
from drnsr.images.joined import join_bands
from drnsr.images.reading import codec_of
from drnsr.upscale.provenance import read_provenance
from drnsr.video.files import PARTS_SUFFIX, ending, is_video
from drnsr.video.options import ClipOptions

# Camera raw files begin like TIFF and contain unprocessed sensor data.
_RAW = frozenset({".arw", ".cr2", ".dng", ".iiq", ".nef", ".nrw", ".orf", ".pef", ".rw2", ".srw"})
_DICOM_INDEX = "DICOMDIR"  # the index of a DICOM medium, which is a DICOM file without a picture
_APPLE_DOUBLE = b"\0\x05\x16\x07"


@dataclass(frozen=True)
class Job:
    """The upscaling of one file into another, or of the folder of a DICOM series.

    Attributes:
        source: the file or folder to upscale.
        target: the file or folder to write.
        is_done: whether the target exists and is not to be overwritten.
        problem: why the target cannot be written; empty if it can.
        is_video: whether the source is a video, not a picture.
        bands: the files that are joined, one for each band; the source then is no file and names
            their scene. Empty for a source that is a file or folder.
    """

    source: Path
    target: Path
    is_done: bool = False
    problem: str = ""
    is_video: bool = False
    bands: tuple[Path, ...] = ()

    @property
    def first_file(self) -> Path:
        """A file or folder that can be opened, of the size of the whole."""
        return self.bands[0] if self.bands else self.source


@dataclass(frozen=True)
class Join:
    """Which files are the bands of one scene.

    Attributes:
        pattern: of their names without suffix, with ``{scene}`` and ``{band}``.
        bands: the names of the bands, in the order of the model's channels.
    """

    pattern: str
    bands: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """All jobs of a call.

    Attributes:
        jobs: in the order of the paths.
        notes: sentences about files that were skipped.
    """

    jobs: list[Job]
    notes: list[str]


def plan(
    paths: Sequence[str],
    out: Path,
    suffix: str,
    file_format: str | None,
    clips: ClipOptions = ClipOptions(),  # noqa: B008 (it is frozen)
    join: Join | None = None,
    *,
    overwrite: bool,
) -> Plan:
    """Find the pictures and videos and determine the target of each.

    Args:
        paths: files, folders and glob patterns.
        out: the output folder. The subfolders of the folders in ``paths`` are repeated in it.
        suffix: appended to the stem of each file name.
        file_format: the format of the pictures; None for the format of each source.
        clips: the requests for the videos.
        join: the files that are joined; None for files that are pictures of their own.
        overwrite: whether to write results that exist again.

    Raises:
        UserError: a path does not exist, a pattern or folder contains no pictures, or a band of a
            scene is missing.
    """

    def target_of(source: Path, name: Path) -> Path:
        if source.is_dir() and file_format in (None, "dicom"):
            return out / name.with_name(f"{name.name}{suffix}")
        stem, end = (name.name, "") if source.is_dir() else split_name(name)
        if _is_clip(source):
            end = ending(name, clips.container, clips.codec)
        else:
            end = _ending(source, end, file_format)
        return out / name.with_name(f"{stem}{suffix}{end}")

    search = _Search(out, target_of)
    for text in paths:
        search.add(text)
    if join is not None:
        return Plan(_scenes(search.found, join, target_of, overwrite=overwrite), search.notes)
    targets = [(source, target_of(source, name)) for source, name in search.found]
    taken: dict[Path, Path] = {}
    for source, target in targets:
        # These have priority over names whose suffix changes.
        if split_name(source)[1] == split_name(target)[1]:
            taken.setdefault(target, source)
    jobs = [_make_job(*each, taken, overwrite=overwrite) for each in dict.fromkeys(targets)]
    return Plan(jobs, search.notes)


def _scenes(
    found: Sequence[tuple[Path, Path]],
    join: Join,
    target_of: Callable[[Path, Path], Path],
    *,
    overwrite: bool,
) -> list[Job]:
    """Return a job for each scene.

    Raises:
        ImageError: see :func:`drnsr.images.joined.join_bands`.
    """
    names = dict(found)
    jobs = []
    taken: dict[Path, Path] = {}
    for scene, bands in join_bands(list(names), join.bands, join.pattern, "--join").items():
        target = target_of(bands[0], names[bands[0]].with_name(scene.name))
        job = _make_job(scene, target, taken, overwrite=overwrite)
        jobs.append(replace(job, bands=bands, is_video=False))
    return jobs


def _ending(source: Path, suffix: str, file_format: str | None) -> str:
    codec = CODECS[file_format] if file_format else codec_of_suffix(suffix)
    if codec is None:
        codec = _detect_codec(source)
    if codec.written_as is not None:
        codec = CODECS[codec.written_as]
    return suffix if suffix.lower() in codec.suffixes else codec.suffixes[0]


def _is_clip(source: Path) -> bool:
    """Return whether a file is a video; pictures that move, such as GIF, are pictures."""
    if codec_of_suffix(source.suffix) is not None:
        return False
    try:
        codec_of(source)
    except ImageError:
        return is_video(source)
    return False


def _detect_codec(source: Path) -> Codec:
    try:
        return codec_of(source)
    except ImageError:
        return CODECS["png"]  # the error is reported when the file is opened


def _make_job(source: Path, target: Path, taken: dict[Path, Path], *, overwrite: bool) -> Job:
    other = taken.setdefault(target, source)
    if other != source:
        return Job(source, target, problem=f"would become {target}, as {other} does")
    try:
        if overwrite and target.is_dir() and read_provenance(target) is None:
            return Job(source, target, problem=f"{target}: a folder that drnsr did not make")
        if _real_path(target) == _real_path(source):
            return Job(source, target, problem="would be written over itself: take another --out")
        is_done = target.exists() and not overwrite
        return Job(source, target, is_done, is_video=_is_clip(source))
    except OSError as error:  # for example a name that is too long
        return Job(source, target, problem=f"{target}: {error.strerror}")


def _real_path(path: Path) -> Path:
    """Resolve links; unlike ``Path.resolve``, do not raise for a cycle of links."""
    return Path(os.path.realpath(path))


@dataclass
class _Search:
    """Collects picture files.

    Attributes:
        out: the output folder; it is excluded from the search in a folder that contains it.
        target_of: from a file and its path below ``out`` to its target.
        found: each picture file and its path below ``out``.
        notes: sentences about files that were skipped.
    """

    out: Path
    target_of: Callable[[Path, Path], Path]
    found: list[tuple[Path, Path]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Add a file, the files of a folder, or the files that match a pattern.

        Raises:
            UserError: there are none.
        """
        path = Path(text)
        if path.is_dir():
            self._add_folder(path)
        elif path.exists():
            self.found.append((path, Path(path.name)))
        else:
            files = self._pictures(text, _glob(text))
            if not files:
                is_pattern = any(letter in text for letter in "*?[")
                missing = (
                    "no picture matches" if is_pattern else "there is no such picture or folder"
                )
                raise UserError(f"{text}: {missing}")
            self.found += [(file, Path(file.name)) for file in files]

    def _add_folder(self, folder: Path) -> None:
        out, root = _real_path(self.out), _real_path(folder)
        paths = sorted(folder.rglob("*"))
        if root in out.parents:
            paths = [path for path in paths if out not in _real_path(path).parents]
        files = [
            (file, Path(root.name) if file == folder else file.relative_to(folder))
            for file in _with_series(self._pictures(str(folder), paths))
        ]
        if out == root or out in root.parents:
            files = self._without_results(folder, files)
        if not files:
            raise UserError(f"{folder}: no pictures in this folder")
        self.found += files

    def _without_results(
        self, folder: Path, files: list[tuple[Path, Path]]
    ) -> list[tuple[Path, Path]]:
        """Drop results of earlier calls, if results are written into the folder of the sources."""
        targets = {_real_path(self.target_of(file, name)) for file, name in files}
        kept = [
            (file, name)
            for file, name in files
            if _real_path(file) not in targets and read_provenance(file) is None
        ]
        if len(kept) < len(files):
            self.notes.append(f"{folder}: {len(files) - len(kept)} skipped that drnsr made")
        return kept

    def _pictures(self, where: str, files: Sequence[Path]) -> list[Path]:
        """Return the picture files and note how many other files there are of each kind."""
        pictures = []
        others: Counter[str] = Counter()
        for file in files:
            kind = _other_kind(file)
            if kind is None:
                pictures.append(file)
            elif kind:
                others[kind] += 1
        if others:
            counts = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items()))
            self.notes.append(f"{where}: skipped, not a known picture or video: {counts}")
        return pictures


def _with_series(files: Sequence[Path]) -> list[Path]:
    """Replace the slices of a DICOM series by their folder."""
    by_folder: dict[Path, list[Path]] = {}
    for file in files:
        codec = codec_of_suffix(file.suffix) or _detect_codec(file)
        if codec.name == "dicom":
            by_folder.setdefault(file.parent, []).append(file)
    folder_of: dict[Path, Path] = {}
    for folder, members in by_folder.items():
        if len(members) > 1:
            folder_of |= dict.fromkeys(_slices(members), folder)
    return list(dict.fromkeys(folder_of.get(file, file) for file in files))


def _slices(files: Sequence[Path]) -> list[Path]:
    try:
        from drnsr.images.backends.dicom_series import slices_of_series
    except ImageError:  # without pydicom, each file says that it is needed
        return []
    return slices_of_series(files)


def _glob(pattern: str) -> list[Path]:
    path = Path(pattern)
    try:
        return sorted(Path(path.anchor or ".").glob(path.relative_to(path.anchor).as_posix()))
    except (ValueError, NotImplementedError, OSError):
        return []  # the text is not a pattern


def _other_kind(file: Path) -> str | None:
    """Return the kind of a file that is not a picture.

    Returns:
        None for a picture; an empty string for a file that is skipped without a note.
    """
    suffix = split_name(file)[1].lower()
    try:
        if any(map(is_partial, (file, file.parent))):  # also a slice in the folder of a series
            return ""
        if file.parent.name.endswith(PARTS_SUFFIX):
            return ""
        if not file.is_file():
            # A broken link named like a picture is an error when it is opened.
            return "" if file.exists() or codec_of_suffix(suffix) is None else None
        if file.name.startswith("._") and _starts_with(file, _APPLE_DOUBLE):
            return "._ files of macOS"
        if codec_of_suffix(suffix) is not None:
            return None
        if suffix not in _RAW and file.name.upper() != _DICOM_INDEX:
            codec_of(file)
            return None
    except ImageError:
        if is_video(file):
            return None
    except OSError:
        return "that cannot be read" if codec_of_suffix(suffix) is None else None
    return suffix or "without a suffix"


def _starts_with(file: Path, start: bytes) -> bool:
    with file.open("rb") as stream:
        return stream.read(len(start)) == start
