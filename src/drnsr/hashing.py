"""The sha256 of bytes and files."""

import hashlib
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
