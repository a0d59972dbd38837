"""Where the files of a project stand."""

import os
from pathlib import Path

CONF = Path(__file__).resolve().parents[2] / "conf"
"""The folder with the groups of the configuration."""


def project_root() -> Path:
    """The project's folder; in a queued experiment, which runs in a copy, that of the original."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def missing_in_copy(path: Path) -> str:
    """What to say where a queued experiment's copy of the project lacks a file or folder.

    Args:
        path: of the user's; a relative one is looked for in the copy.

    Returns:
        The end of a sentence; empty where the copy has what the project has.
    """
    original = project_root() / path
    if path.is_absolute() or not original.exists():
        return ""
    files = original.rglob("*") if original.is_dir() else [original]
    if all((path / file.relative_to(original)).exists() for file in files):
        return ""
    return f" here: queued runs work in a copy of what git knows; name it by its path, {original}"
