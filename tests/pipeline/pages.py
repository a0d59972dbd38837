"""The pages of the documentation, and the blocks of code in them.

The language of a block says how it is tested: `bash` and `python` are run, in the order of the
page; the commands of `sh`, which need something that is not here (a cluster, a store, a file of the
reader) or take too long, are checked without being run; `yaml` and `toml` are parsed; `text` is
no code.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import PROJECT

PAGES = sorted(
    [
        *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")),
        *(PROJECT / "docs").rglob("*.md"),
        *(PROJECT / "src/drnsr/pretrained").glob("*.md"),
    ]
)
LANGUAGES = ("bash", "python", "sh", "yaml", "toml", "json", "text")


@dataclass(frozen=True)
class Block:
    """A block of code: the page, the line at which it starts, its language and content."""

    page: str
    line: int
    language: str
    content: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def commands(self) -> list[str]:
        """Its commands, without comments; a line that ends with \\ or | goes on."""
        joined = re.sub(r"(\\|(?<=\|))\n\s*", " ", self.content)
        lines = (re.sub(r"(^|\s+)# .*", "", line).strip() for line in joined.splitlines())
        return [line for line in lines if line]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, those in lists included."""
    found, start, lines = [], None, []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.strip().startswith("```"):
            if start is None:
                start, lines, language = number, [], line.strip().removeprefix("```")
            else:
                name = page.relative_to(PROJECT).as_posix()
                found.append(Block(name, start, language, "\n".join(lines) + "\n"))
                start = None
        elif start is not None:
            lines.append(line)
    assert start is None, f"{page}:{start}: the block has no end"
    return found


BLOCKS = [block for page in PAGES for block in blocks(page)]
