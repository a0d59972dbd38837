"""Copies of data sets in a folder that stands in for the web: a mirror."""

from collections.abc import Sequence
from pathlib import Path

from drnsr.data.download import FetchError, RemoteFile, download_files, mirrored_path
from drnsr.data.registry import read_registry
from drnsr.errors import printable
from drnsr.project import REGISTRIES


def find_registries(name: str) -> list[Path]:
    """Find the registries of a data set.

    Args:
        name: the name of a file in conf/registry; ``set5`` stands for set5_x2, set5_x3 and set5_x4.

    Raises:
        FetchError: if there is no such registry.
    """
    found = sorted(REGISTRIES.glob(f"{name}.txt")) or sorted(REGISTRIES.glob(f"{name}_*.txt"))
    if not found:
        known = ", ".join(sorted(path.stem for path in REGISTRIES.glob("*.txt")))
        raise FetchError(f"{name}: there is no such registry (known: {known})")
    return found


def mirror_registries(registries: Sequence[Path], folder: Path, source: str | None) -> None:
    """Copy the files of registries into a mirror, each as HOST/PATH, and print what is left out.

    Args:
        registries: the registries.
        folder: the mirror; a file that it has already is not fetched again.
        source: another mirror to copy from; None for the web.

    Raises:
        FetchError: if a file cannot be fetched.
    """
    for registry in registries:
        entries = read_registry(registry)
        files = [
            RemoteFile(entry.url, entry.sha256, mirrored_path(entry.url, folder))
            for entry in entries
            if entry.is_remote
        ]
        if files:
            download_files(files, f"mirroring {registry.stem}", mirror=source)
        if len(files) < len(entries):
            left_out = f"{len(entries) - len(files)} of {len(entries)} files left out"
            print(
                f"{printable(registry.stem)}: {left_out}: they come with an installed package or by"
                " hand"
            )
