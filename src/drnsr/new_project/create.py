"""Make a project: the files, the graph over the installed package, and a git repository."""

import io
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from drnsr.atomic import atomic_folder
from drnsr.errors import UserError
from drnsr.new_project.files import copy_files
from drnsr.project import OWN_SOURCES, PACKAGE_FILE, PROJECT_FILES, REPOSITORY

# The stage that writes down what of the package the others depend on.
_PACKAGE_STAGE = {
    "cmd": "python -m drnsr.new_project.package_code",
    "always_changed": True,
    "outs": [{str(PACKAGE_FILE): {"cache": False}}],
}
_HEADER = """\
# package -> config -> fetch -> prepare -> train -> evaluate -> verify -> report
#
# The stage `package` writes the hash of the code of the installed drnsr that each other stage uses.
# So a new version of drnsr reruns the stages whose code it changes, and no others.
"""

_OWN_FILES = {
    "README.md": "README.md",
    "pyproject.toml": "pyproject.toml",
    "own_networks.md": "src/own_networks/README.md",
}
_OWN_PACKAGE = '"""Networks of this project\'s own: see README.md."""\n'

# Git's variables, as they are in one of its hooks.
_ANOTHER_REPOSITORY = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE")


def create_project(folder: Path) -> bool:
    """Make a project in a new or empty folder, and a git repository with its first commit.

    Args:
        folder: of the project.

    Returns:
        Whether it was committed: git may be missing, or not know the user's name.

    Raises:
        UserError: if there is something at ``folder`` already.
        OSError: if it cannot be written; then nothing is left of it.
    """
    _check_empty(folder)
    with atomic_folder(folder) as new:
        _fill(new)
        return _commit(new)


def _check_empty(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"{folder}: is a file or a link; name a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder}: is not empty; name a new folder")


def _fill(folder: Path) -> None:
    if REPOSITORY is not None:
        copy_files(REPOSITORY, folder)
    else:
        compiled = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT_FILES, folder, ignore=compiled, dirs_exist_ok=True)
    for source, name in _OWN_FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(__file__).with_name(source), folder / name)
    own = folder / OWN_SOURCES / "own_networks" / "__init__.py"
    own.write_text(_OWN_PACKAGE, encoding="utf-8")
    graph = folder / "dvc.yaml"
    graph.write_text(over_installed_package(graph.read_text(encoding="utf-8")), encoding="utf-8")


def over_installed_package(graph: str) -> str:
    """Return dvc.yaml with stages that depend on the installed package instead of its sources.

    Args:
        graph: the repository's dvc.yaml.
    """
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 100
    content = yaml.load(graph)
    for name, stage in content["stages"].items():
        if not (used := package_dependencies(stage)):
            continue
        kept = [path for path in stage["deps"] if path not in used]
        if "src/drnsr/networks" in used:
            kept.append(str(OWN_SOURCES))
        stage["deps"] = kept
        stage.setdefault("params", []).append({str(PACKAGE_FILE): [name]})
    content["stages"].insert(0, "package", _PACKAGE_STAGE)
    text = io.StringIO()
    yaml.dump(content, text)
    _, _, rest = text.getvalue().partition("\n")  # the line with the order of the stages
    return _HEADER + rest


def package_dependencies(stage: Mapping[str, Any]) -> list[str]:
    """Return the paths below src/ that a stage of the repository's graph depends on."""
    return [path for path in stage.get("deps", []) if path.startswith("src/")]


def _commit(folder: Path) -> bool:
    """Make the first commit, from which a later version of the files can be merged."""
    if shutil.which("git") is None:
        # DVC looks for git's repository unless it is told that there is none.
        (folder / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n")
        return False
    message = "The files of drnsr"
    commands = (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", message])
    for command in commands:
        environment = {k: v for k, v in os.environ.items() if k not in _ANOTHER_REPOSITORY}
        done = subprocess.run(
            ["git", *command], cwd=folder, env=environment, capture_output=True, check=False
        )
        if done.returncode:
            return False
    return True
