"""Build the site of the documentation into `site/`: `python -m docs.generate`, or `make docs`.

The pages are the project's own Markdown files, in their folders, so that a link from one to another
holds in an editor, on a web page of the repository and in the site. The reference is made here from
the code and conf/, and is never committed, so that it cannot be out of date.
"""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from docs.generate import api, commands, configuration

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
    "docs/tutorials/*",
    "notebooks/*.ipynb",
    "src/drnsr/pretrained/*.md",
]
REFERENCE = {
    "docs/reference/configuration.md": configuration.page,
    "docs/reference/commands.md": commands.page,
    **api.PAGES,
}


def write_pages() -> None:
    """Copy the pages, and write those of the reference, into `build/pages`."""
    shutil.rmtree(PAGES, ignore_errors=True)
    for pattern in SOURCES:
        for source in ROOT.glob(pattern):
            page = PAGES / source.relative_to(ROOT)
            page.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, page)
    for name, content in REFERENCE.items():
        page = PAGES / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(content())


def check_navigation() -> None:
    """Check that `nav` in zensical.toml names each page, and no others."""
    nav = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    named = set(_leaves(nav))
    pages = {page.relative_to(PAGES).as_posix() for page in PAGES.rglob("*.md")}
    if named != pages:
        sys.exit(
            f"zensical.toml: nav lacks {sorted(pages - named)},"
            f" and names {sorted(named - pages)}, which do not exist"
        )


def _leaves(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, list | dict):
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from _leaves(part)


def main() -> None:
    """Write the pages, and build the site; a warning, such as of a dead link, ends it."""
    write_pages()
    check_navigation()
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    sys.exit(subprocess.run(command, cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
