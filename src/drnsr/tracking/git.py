"""The commit that is being run, for the record."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Commit:
    """A git commit, and what was changed on top of it.

    Attributes:
        sha: the commit in hex, or "unknown" outside a git repository.
        patch: the uncommitted changes as a patch; empty for a clean tree.
    """

    sha: str
    patch: str


# Written by the graph itself: when a stage asks, they have changed already.
_OUTPUTS = (":!dvc.lock", ":!metrics", ":!resolved.yaml")


def current_commit() -> Commit:
    """The commit of the working folder, with new files in the patch as well as changed ones."""
    try:
        sha = _git("rev-parse", "HEAD").strip()
        with tempfile.TemporaryDirectory() as folder:
            # An index of its own: `git diff` leaves out files that git does not know yet, and the
            # user's index must stay as it is.
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            _git("read-tree", "HEAD", environment=index)
            _git("add", "--all", "--", ".", *_OUTPUTS, environment=index)
            diff = ("diff", "--cached", "--binary", "--no-ext-diff", "HEAD", "--", ".", *_OUTPUTS)
            return Commit(sha=sha, patch=_git(*diff, environment=index))
    except (OSError, subprocess.CalledProcessError):
        return Commit(sha="unknown", patch="")


def _git(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    result = subprocess.run(
        ["git", *arguments],
        check=True,
        capture_output=True,
        env={**os.environ, **(environment or {})},
    )
    return result.stdout.decode(errors="replace")
