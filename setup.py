"""The one step of the build that pyproject.toml cannot name.

The files of a project (conf/, pipelines/, dvc.yaml, ...) stand once in the repository, at its top,
where they are used. The wheel has a copy of them in the package, for ``drnsr new`` and for commands
outside of a project. setuptools' package data must lie in the package's own folder, and its
data_files are installed outside of the package, file by file without patterns for folders.
"""

from pathlib import Path
from runpy import run_path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
FOLDER = Path("drnsr", "new_project")


class BuildWithProjectFiles(build_py):
    """Also copy the files of a project; an editable installation finds them in the repository."""

    def run(self) -> None:
        """Build the package."""
        super().run()
        if not self.editable_mode:
            copy_files = run_path(str(ROOT / "src" / FOLDER / "files.py"))["copy_files"]
            copy_files(ROOT, Path(self.build_lib) / FOLDER / "files")


setup(cmdclass={"build_py": BuildWithProjectFiles})
