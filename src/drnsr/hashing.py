"""The sha256 of bytes and files."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path


def sha256_of(chunks: Iterable[bytes]) -> str:
    """Return the sha256 in hex of all chunks in turn."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the sha256 in hex of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_sha256(text: str) -> bool:
    """Return whether a text is a sha256 in hex: 64 lower-case digits."""
    return re.fullmatch("[0-9a-f]{64}", text) is not None
