"""Checks of git, DVC and the mirror of the data sets."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from drnsr.doctor.finding import Finding
from drnsr.errors import network_reason, printable, without_credentials

_DVC = Path(".dvc")
_LOCK_FILE = Path("dvc.lock")
# The files that DVC reads, and the keys that each must have.
_FILES = {Path("dvc.yaml"): {"stages"}, Path("params.yaml"): set(), _LOCK_FILE: {"stages"}}
_SECONDS = 3
MIRROR_VARIABLE = "DRNSR_MIRROR"


def check_git() -> Iterator[Finding]:
    """Look whether the folder is a git repository with a commit, which experiments need."""
    if shutil.which("git") is None:
        advice = "install git: experiments and `drnsr reproduce` need it"
        yield Finding("note", "git", "not installed", advice)
        return
    asked = ["git", "rev-parse", "--short", "HEAD"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    if told.returncode == 0:
        yield Finding("ok", "git", f"at commit {told.stdout.strip()}")
    elif "dubious ownership" in told.stderr:
        advice = f"git config --global --add safe.directory {Path.cwd()}"
        yield Finding("error", "git", "the folder belongs to another user", advice)
    else:
        advice = "git init && git add --all && git commit; experiments need it"
        yield Finding("note", "git", "no commit here", advice)


def check_dvc() -> Iterator[Finding]:
    """Look whether DVC can run the graph: its cache, its locks and its record."""
    if not _DVC.is_dir():
        yield Finding("error", "DVC", f"there is no {_DVC}", "dvc init, or `git checkout .dvc`")
        return
    found = [*_check_cache(), *_check_locks(), *_check_files()]
    yield from found or [
        Finding("ok", "DVC", "its cache can be written to, and no one else runs it")
    ]


def _check_cache() -> Iterator[Finding]:
    for folder in (_DVC / "cache", _DVC / "tmp"):
        try:
            folder.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            text = f"{folder}: cannot be written: {error.strerror}"
            yield Finding("error", "DVC", text, f"make {folder} writable for you")


def _check_locks() -> Iterator[Finding]:
    if (lock := _DVC / "tmp" / "lock").is_file() and _is_held(lock):
        text = "another DVC works in this folder"
        yield Finding("note", "DVC", text, "wait for it: `dvc repro` does not run beside it")
    rwlock = _DVC / "tmp" / "rwlock"
    try:
        content = json.loads(rwlock.read_text(encoding="utf-8")) if rwlock.is_file() else {}
        if not isinstance(content, dict):
            raise ValueError
    except ValueError:
        yield Finding("error", "DVC", f"{rwlock}: damaged", f"rm {rwlock}, when no DVC runs")


def _is_held(lock: Path) -> bool:
    from zc.lockfile import LockError, LockFile

    try:
        LockFile(str(lock)).close()
    except LockError:
        return True
    return False


def _check_files() -> Iterator[Finding]:
    import yaml

    for path, keys in _FILES.items():
        restore = f"git checkout HEAD -- {path}"
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            if not isinstance(content, dict) or not keys <= content.keys():
                raise ValueError
        except FileNotFoundError:
            if path != _LOCK_FILE:  # the first run makes it
                yield Finding("error", "DVC", f"there is no {path}", restore)
        except (ValueError, yaml.YAMLError):
            advice = (
                f"{restore}, then dvc repro" if path == _LOCK_FILE else f"repair it, or {restore}"
            )
            text = f"{path}: damaged, or in conflict after a merge"
            yield Finding("error", "DVC", text, advice)


def check_mirror() -> Iterator[Finding]:
    """Look whether the mirror that replaces the web is there."""
    mirror = os.environ.get(MIRROR_VARIABLE)
    if not mirror:
        return
    shown = printable(without_credentials(mirror))
    advice = f"unset {MIRROR_VARIABLE}, or make the mirror: drnsr mirror DATA --to FOLDER"
    if mirror.startswith(("http://", "https://")):
        import requests

        try:
            requests.head(mirror, timeout=_SECONDS)
        except requests.RequestException as error:
            why = printable(network_reason(error)[:200])
            yield Finding("error", "mirror", f"{shown}: {why}", advice)
            return
    elif not Path(mirror).is_dir():
        yield Finding("error", "mirror", f"{shown}: there is no such folder", advice)
        return
    yield Finding("ok", "mirror", f"{shown}, instead of the web")
