"""The files of the repository that a project of one's own gets a copy of.

The build (setup.py) runs this file by itself, before the package is there: it imports Python's own
library alone.
"""

import shutil
from pathlib import Path

# The name in the repository, and in the new project.
_FILES = {
    "conf": "conf",
    "constraints.txt": "constraints.txt",
    "data/own/README.md": "data/own/README.md",
    "data/own_test/README.md": "data/own_test/README.md",
    "docs/small.png": "docs/small.png",
    "dvc.yaml": "dvc.yaml",
    "params.yaml": "params.yaml",
    "pipelines": "pipelines",
    "project.mk": "Makefile",
    ".dvc/.gitignore": ".dvc/.gitignore",
    ".dvc/config": ".dvc/config",
    ".dvc/plots/offline.html": ".dvc/plots/offline.html",
    ".dvcignore": ".dvcignore",
    ".gitattributes": ".gitattributes",
    ".gitignore": ".gitignore",
}


def copy_files(repository: Path, target: Path) -> None:
    """Copy the files to where a new project has them.

    Args:
        repository: the folder of this repository.
        target: a folder, which is made if it is missing.

    Raises:
        OSError: if a file is missing, or the disk is full.
    """
    for source, name in _FILES.items():
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if (repository / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(repository / source, copy, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copyfile(repository / source, copy)
