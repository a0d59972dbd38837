"""Fingerprints of what a result depends on: equal inputs have equal fingerprints."""

import json
from collections.abc import Iterable
from pathlib import Path

from drnsr.hashing import file_sha256, sha256_of
from drnsr.project import PACKAGE


def fingerprint(content: object) -> str:
    """Return the sha256 in hex of a value that JSON can express, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return sha256_of([text.encode()])


def code_fingerprint(places: Iterable[str]) -> str:
    """Return the fingerprint of source files.

    Args:
        places: modules such as ``data/crops.py`` and whole subpackages such as ``networks``,
            relative to the package drnsr.
    """
    files = sorted(file for place in places for file in _python_files(PACKAGE / place))
    return fingerprint({file.relative_to(PACKAGE).as_posix(): file_sha256(file) for file in files})


def _python_files(place: Path) -> Iterable[Path]:
    return place.rglob("*.py") if place.is_dir() else [place]
