"""Checks of the site that Zensical does not do: the navigation, files, and the web."""

import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


def misplaced_pages(settings: Path, pages: Path) -> list[str]:
    """Return the pages that `nav` in zensical.toml lacks, and those in it that do not exist."""
    named = set(_leaves(tomllib.loads(settings.read_text())["project"]["nav"]))
    written = {page.relative_to(pages).as_posix() for page in pages.rglob("*.md")}
    return [f"{settings.name}: nav lacks {page}" for page in sorted(written - named)] + [
        f"{settings.name}: nav has {page}, which does not exist" for page in sorted(named - written)
    ]


def broken_references(site: Path) -> list[str]:
    """Return references to files that are not in the site, and what a page loads from the web.

    Links to the web are allowed: a reader without a connection only lacks what is behind them.
    """
    found = []
    for page in sorted(site.rglob("*.html")):
        if page.name == "404.html":  # its links are those of a server
            continue
        for tag, reference in _references(page):
            parts = urlsplit(reference)
            where = f"{page.relative_to(site)}: {reference}"
            if parts.scheme or parts.netloc:
                if tag != "a" and parts.scheme != "data":
                    found.append(f"{where} is loaded from the web")
            elif parts.path and not (page.parent / unquote(parts.path)).exists():
                found.append(f"{where} is not in the site")
    return found


def _leaves(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, list | dict):
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from _leaves(part)


class _Collector(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.references: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            canonical = tag == "link" and ("rel", "canonical") in attrs
            if name in ("src", "href") and value and not canonical:
                self.references.append((tag, value))


def _references(page: Path) -> list[tuple[str, str]]:
    collector = _Collector()
    collector.feed(page.read_text())
    return collector.references
