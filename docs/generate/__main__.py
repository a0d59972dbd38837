"""Build the site of the documentation into `site/`: `python -m docs.generate`, or `make docs`.

The pages are the project's own Markdown files, in their folders, so that a link from one to another
holds in an editor, on a web page of the repository and in the site. The reference is made here from
the code and conf/, and is never committed, so that it cannot be out of date.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from docs.generate import api, commands, configuration, notebooks, pictures, terminal
from docs.generate.checks import broken_references, misplaced_pages

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "build/pages"  # docs_dir in zensical.toml

# The Markdown files of the project that are pages, and what they show or link to.
SOURCES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
    "benchmarks/README.md",
    "conf/registry/README.md",
    "docs/*.*",
    "docs/assets/*",
    "docs/gallery/*",
    "docs/tutorials/*",
    "notebooks/*.ipynb",
    "src/drnsr/pretrained/*.md",
]
GENERATED = {
    "docs/reference/configuration.md": configuration.page,
    "docs/reference/commands.md": commands.page,
    "docs/reference/pictures.md": pictures.page,
    **api.PAGES,
    **notebooks.PAGES,
}


def write_pages() -> None:
    """Copy the pages, and write those that are generated, into `build/pages`."""
    shutil.rmtree(PAGES, ignore_errors=True)
    for pattern in SOURCES:
        for source in ROOT.glob(pattern):
            page = PAGES / source.relative_to(ROOT)
            page.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, page)
    for name, content in GENERATED.items():
        page = PAGES / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(content())


def main() -> None:
    """Write the pages, and build the site; a warning, such as of a dead link, ends it."""
    write_pages()
    _end_on(misplaced_pages(ROOT / "zensical.toml", PAGES))
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    built = subprocess.run(command, cwd=ROOT)
    if built.returncode:
        sys.exit(built.returncode)
    _end_on([*broken_references(ROOT / "site"), *filter(None, [terminal.check()])])


def _end_on(problems: list[str]) -> None:
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
