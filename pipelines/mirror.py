"""Copy data sets for a site without internet: ``make mirror DATA="set5 b100" TO=FOLDER``.

There, ``DRNSR_MIRROR=FOLDER`` (or the URL that serves it) stands in for the web.
"""

import os
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from drnsr.data.download import FetchError, RemoteFile, download_files, mirrored_path
from drnsr.data.registry import read_registry
from drnsr.errors import exit_on_error
from drnsr.project import REGISTRIES


def mirror(names: Sequence[str], folder: Path) -> None:
    """Copy the files of some registries from the web into ``folder``, as HOST/PATH.

    Args:
        names: of files in conf/registry; ``set5`` stands for set5_x2, set5_x3 and set5_x4.
        folder: the mirror; what it has already is not fetched again.

    Raises:
        FetchError: there is no such registry, or a file cannot be had.
    """
    for registry in [path for name in names for path in _registries(name)]:
        entries = read_registry(registry)
        files = [
            RemoteFile(entry.url, entry.sha256, mirrored_path(entry.url, folder))
            for entry in entries
            if entry.on_the_web
        ]
        if files:
            source = os.environ.get("DRNSR_MIRROR") or None
            download_files(files, f"mirroring {registry.stem}", mirror=source)
        if len(files) < len(entries):
            print(
                f"{registry.stem}: {len(entries) - len(files)} of {len(entries)} files left out:"
                " they come with an installed package or by hand"
            )


def _registries(name: str) -> list[Path]:
    found = sorted(REGISTRIES.glob(f"{name}.txt")) or sorted(REGISTRIES.glob(f"{name}_*.txt"))
    if not found:
        known = ", ".join(sorted(path.stem for path in REGISTRIES.glob("*.txt")))
        raise FetchError(f"{name}: there is no such registry (known: {known})")
    return found


def main() -> None:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", metavar="DATA", help="a registry in conf/registry")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="the mirror")
    arguments = parser.parse_args()
    mirror(arguments.names, arguments.to)


if __name__ == "__main__":
    with exit_on_error():
        main()
