"""The commit that is being run, and the changes on top of it."""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from drnsr.project import METRICS, PACKAGE_FILE, RESOLVED


@dataclass(frozen=True)
class Commit:
    """A git commit, and the changes on top of it.

    Attributes:
        sha: the commit in hex, or "unknown" outside a git repository.
        patch: the uncommitted changes of text files, and the new files of code and configuration,
            as a patch for ``git apply``; empty if there are none.
        left_out: the paths of changed and new files that the patch does not contain; a new folder
            outside the source folders is one entry, which ends with a slash.
    """

    sha: str
    patch: str
    left_out: tuple[str, ...] = ()

    @property
    def changed_sources(self) -> tuple[str, ...]:
        """The sources among ``left_out``, on which any result may depend."""
        return tuple(path for path in self.left_out if is_source(path))

    @property
    def dirty(self) -> bool:
        """Whether the code that is run differs from the commit."""
        return bool(self.patch or self.changed_sources)


SOURCES = ("src", "pipelines", "conf", "tests")
_TOP_LEVEL = (".yaml", ".yml", ".toml", ".cfg", ".ini")

# How a new file of code or configuration ends; others, such as `tests/notes.md`, may be private.
_CODE = (*_TOP_LEVEL, ".py", ".pyi", ".csv", ".css", ".html", ".j2", ".json", ".txt")

# In bytes. Sources are far smaller; a larger new file is data with the name of a source.
_LARGEST_NEW_FILE = 2**20

# The graph itself writes these: they have changed before a stage asks.
_OUTPUTS = ("dvc.lock", str(METRICS), str(PACKAGE_FILE), str(RESOLVED))

# The form of a patch that applies elsewhere, whatever the user's git settings are.
_DIFF = (
    *("-c", "core.quotePath=false", "diff", "--no-color", "--no-ext-diff", "--no-textconv"),
    *("--no-renames", "--no-relative", "--submodule=short", "--ignore-submodules=dirty"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--full-index"),
)


def current_commit() -> Commit:
    """Return the commit of the working folder, and the changes since.

    Pictures, models and other binary files are never in the patch, nor are new files that are no
    code, are hidden or lie outside the source folders: they may be large or private.
    """
    try:
        sha = _git("rev-parse", "HEAD").decode().strip()
        with tempfile.TemporaryDirectory() as folder:
            # A separate index, as HEAD is: the user's index must not change, and a file that is
            # only staged there is new as well.
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            _git("read-tree", "HEAD", environment=index)
            new, left_out = _new_files(index)
            if new:
                _git("add", "--intent-to-add", "--force", "--", *new, environment=index)
            diff = _git(*_DIFF, "HEAD", "--", *_pathspecs(), environment=index)
    except (OSError, subprocess.CalledProcessError):
        return Commit(sha="unknown", patch="")
    patch, binary = _text_of(diff)
    return Commit(sha, patch, tuple(sorted({*left_out, *binary})))


def is_source(path: str) -> bool:
    """Return whether a path is one of code or configuration."""
    folder, slash, _ = path.partition("/")
    return folder in SOURCES if slash else path.endswith(_TOP_LEVEL)


def _new_files(index: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the new files that go into the patch, and those that do not."""
    listing = ("ls-files", "--others", "--exclude-standard", "-z")
    everything = _paths(_git(*listing, "--directory", "--", *_pathspecs(), environment=index))
    candidates = [path for path in everything if is_source(path)]
    if any(path.endswith("/") for path in candidates):  # a new folder: list its files
        files = _git(*listing, "--", *SOURCES, environment=index)
        candidates = [path for path in candidates if "/" not in path] + _paths(files)
    new = [path for path in candidates if _is_code(path) and _is_small_text(Path(path))]
    left_out = {path for path in everything if not is_source(path)} | set(candidates) - set(new)
    return new, sorted(left_out)


def _is_code(path: str) -> bool:
    hidden = any(part.startswith(".") for part in Path(path).parts)
    return path.endswith(_CODE) and not hidden


def _is_small_text(path: Path) -> bool:
    """Return whether a file is a small text file; a link is none, its target lies elsewhere."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_NEW_FILE:
        return False
    return _is_text(path.read_bytes())


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def _text_of(diff: bytes) -> tuple[str, list[str]]:
    """Return a diff without the sections of binary files, and the paths of these.

    A line of a file has a sign before it in a diff, so it cannot be taken for a header.
    """
    patch, binary = "", []
    for section in re.split(rb"(?m)^(?=diff --git )", diff)[1:]:
        if _is_text(section) and not re.search(rb"(?m)^Binary files ", section):
            patch += section.decode()
        else:
            binary.append(_path_of(section))
    return patch, binary


def _path_of(section: bytes) -> str:
    """Return PATH of ``diff --git a/PATH b/PATH``; the two are the same."""
    header = section.partition(b"\n")[0].removeprefix(b"diff --git ").decode(errors="replace")
    return header[: len(header) // 2].strip('"').removeprefix("a/")


def _pathspecs() -> tuple[str, ...]:
    return (".", *(f":!{path}" for path in _OUTPUTS))


def _paths(listing: bytes) -> list[str]:
    return [os.fsdecode(path) for path in listing.split(b"\0") if path]


def _git(*arguments: str, environment: Mapping[str, str] | None = None) -> bytes:
    result = subprocess.run(
        ["git", *arguments],
        check=True,
        capture_output=True,
        env={**os.environ, **(environment or {})},
    )
    return result.stdout
