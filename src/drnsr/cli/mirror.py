"""Copy data sets into a folder, for a machine without internet.

There, DRNSR_MIRROR=FOLDER (or the URL of a server for the folder) replaces the web.
"""

import argparse
import os
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "names",
        nargs="+",
        metavar="DATA",
        help="a registry in conf/registry; set5 stands for set5_x2, set5_x3 and set5_x4",
    )
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="the mirror")


def run(parsed: argparse.Namespace) -> None:
    """Copy the files.

    Raises:
        FetchError: if there is no such registry, or a file cannot be fetched.
    """
    from drnsr.data.mirror import find_registries, mirror_registries

    registries = [registry for name in parsed.names for registry in find_registries(name)]
    mirror_registries(registries, parsed.to, os.environ.get("DRNSR_MIRROR") or None)
