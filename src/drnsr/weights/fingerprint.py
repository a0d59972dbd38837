"""Fingerprints of what a result depends on: equal inputs have equal fingerprints."""

import json
from collections.abc import Iterable
from pathlib import Path

from drnsr.hashing import file_sha256, sha256_of
from drnsr.project import OWN_SOURCES, PACKAGE


def fingerprint(content: object) -> str:
    """Return the sha256 in hex of a value that JSON can express, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return sha256_of([text.encode()])


def code_fingerprint(places: Iterable[str]) -> str:
    """Return the fingerprint of source files, and of those that a project has in its own src/.

    Args:
        places: modules such as ``data/crops.py`` and whole subpackages such as ``networks``,
            relative to the package drnsr.
    """
    files = sorted(file for place in places for file in _python_files(PACKAGE / place))
    hashes = {file.relative_to(PACKAGE).as_posix(): file_sha256(file) for file in files}
    return fingerprint(hashes | {file.as_posix(): file_sha256(file) for file in _own_files()})


def _own_files() -> list[Path]:
    """Return the Python files of the project's own below src/; those of the package are not."""
    package = OWN_SOURCES / PACKAGE.name
    return [file for file in _python_files(OWN_SOURCES) if not file.is_relative_to(package)]


def _python_files(place: Path) -> Iterable[Path]:
    return [place] if place.suffix == ".py" else sorted(place.rglob("*.py"))
