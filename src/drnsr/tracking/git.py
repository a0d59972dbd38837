"""The commit that is being run, for the record."""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from drnsr.project import METRICS, RESOLVED


@dataclass(frozen=True)
class Commit:
    """A git commit, and what was changed on top of it.

    Attributes:
        sha: the commit in hex, or "unknown" outside a git repository.
        patch: the uncommitted changes of text, and new text files of the source folders, as a patch
            that ``git apply`` takes; empty for none.
        left_out: changed and new files that the patch does not hold, by their paths; a new folder
            outside the source folders is one entry, which ends with a slash.
    """

    sha: str
    patch: str
    left_out: tuple[str, ...] = ()

    @property
    def changed_sources(self) -> tuple[str, ...]:
        """What of ``left_out`` is a source, so that any result may depend on it."""
        return tuple(path for path in self.left_out if is_source(path))

    @property
    def dirty(self) -> bool:
        """Whether what was run is not what the commit holds."""
        return bool(self.patch or self.changed_sources)


SOURCES = ("src", "pipelines", "conf", "tests")
_TOP_LEVEL = (".yaml", ".yml", ".toml", ".cfg", ".ini")

# Bytes of a new file. Sources are far smaller; what is larger is data under a source's name.
_LARGEST_NEW_FILE = 2**20

# Written by the graph itself: when a stage asks, they have changed already.
_OUTPUTS = ("dvc.lock", str(METRICS), str(RESOLVED))

# A patch to be applied elsewhere, whatever the user's git shows people.
_DIFF = (
    *("-c", "core.quotePath=false", "diff", "--no-color", "--no-ext-diff", "--no-textconv"),
    *("--no-renames", "--no-relative", "--submodule=short", "--ignore-submodules=dirty"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--full-index"),
)


def current_commit() -> Commit:
    """The commit of the working folder, and what was changed since.

    Pictures, models and other binary files never get into the patch, nor do new files outside the
    sources: they may be large, or nobody's business.
    """
    try:
        sha = _git("rev-parse", "HEAD").decode().strip()
        with tempfile.TemporaryDirectory() as folder:
            # An index of its own, which stays as HEAD is: the user's must not change, and what is
            # only staged there is new all the same.
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
    """Whether a path is one of code or configuration."""
    folder, slash, _ = path.partition("/")
    return folder in SOURCES if slash else path.endswith(_TOP_LEVEL)


def _new_files(index: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Files that git does not know: those that go into the patch, and those that do not."""
    listing = ("ls-files", "--others", "--exclude-standard", "-z")
    everything = _paths(_git(*listing, "--directory", "--", *_pathspecs(), environment=index))
    candidates = [path for path in everything if is_source(path)]
    if any(path.endswith("/") for path in candidates):  # a new folder of sources: each file
        files = _git(*listing, "--", *SOURCES, environment=index)
        candidates = [path for path in candidates if "/" not in path] + _paths(files)
    new = [path for path in candidates if _is_small_text(Path(path))]
    left_out = {path for path in everything if not is_source(path)} | set(candidates) - set(new)
    return new, sorted(left_out)


def _is_small_text(path: Path) -> bool:
    """Links are not followed: what they name lies elsewhere."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_NEW_FILE:
        return False
    return _is_text(path.read_bytes())


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def _text_of(diff: bytes) -> tuple[str, list[str]]:
    """A diff without the sections of binary files, and their paths.

    A line of a file stands in a diff behind a sign, so that none looks like a header.
    """
    patch, binary = "", []
    for section in re.split(rb"(?m)^(?=diff --git )", diff)[1:]:
        if _is_text(section) and not re.search(rb"(?m)^Binary files ", section):
            patch += section.decode()
        else:
            binary.append(_path_of(section))
    return patch, binary


def _path_of(section: bytes) -> str:
    """Of `diff --git a/PATH b/PATH`, where both are the same."""
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
