"""Stage `package` of a project: write the version of drnsr, and the code that each stage uses."""

from importlib.metadata import PackageNotFoundError, version

import yaml

from drnsr.atomic import write_text
from drnsr.errors import exit_on_error
from drnsr.hashing import file_sha256, sha256_of
from drnsr.new_project.create import package_dependencies
from drnsr.project import PACKAGE, PACKAGE_FILE, SHIPPED

_HEADER = "# Written by the stage `package`: hashes of the code of drnsr that each stage uses.\n"


def main() -> None:
    """Write the file that the other stages depend on."""
    graph = yaml.safe_load((SHIPPED / "dvc.yaml").read_text(encoding="utf-8"))
    used = {name: package_dependencies(stage) for name, stage in graph["stages"].items()}
    content = {"version": _version()}
    content |= {name: code_hash(places) for name, places in used.items() if places}
    write_text(PACKAGE_FILE, _HEADER + yaml.safe_dump(content, sort_keys=False))


def code_hash(places: list[str]) -> str:
    """Return the hash of files and folders of the package, which are named as in the repository."""
    paths = [PACKAGE.parent / place.removeprefix("src/") for place in places]
    files = {each for path in paths for each in ([path] if path.is_file() else path.rglob("*"))}
    lines = [
        f"{file.relative_to(PACKAGE).as_posix()} {file_sha256(file)}\n"
        for file in files
        if file.is_file() and file.suffix != ".pyc"
    ]
    return sha256_of([line.encode() for line in sorted(lines)])


def _version() -> str:
    try:
        return version("drnsr")
    except PackageNotFoundError:
        return "unknown"


if __name__ == "__main__":
    with exit_on_error():
        main()
