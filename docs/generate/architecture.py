"""Draw docs/assets/architecture.svg: `python -m docs.generate.architecture`.

The packages and their order are those of the contract in pyproject.toml, which import-linter
enforces, and each is described by its docstring. The stages and their outputs are in dvc.yaml.
A test compares the file with what this draws.
"""

import ast
import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path
from textwrap import wrap

import yaml

ROOT = Path(__file__).resolve().parents[2]
DRAWING = ROOT / "docs/assets/architecture.svg"

WIDTH, MARGIN, GAP = 960, 20, 8
STAGE_HEIGHT, LINE_HEIGHT = 72, 15
LETTER = 6.0  # about the width of one in the small text, in pixels
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b1b1f; text-anchor: middle; }
text.title { font-weight: 600; text-anchor: start; }
text.name { font-weight: 600; }
text.small { font-size: 11px; fill: #55555f; }
rect { stroke: #8c8c9a; rx: 5; }
.page { fill: #ffffff; stroke: none; }
.stage { fill: #e3ecfb; } .package { fill: #eef3ea; }
.arrow { stroke: #55555f; fill: none; marker-end: url(#head); }
"""


def draw() -> str:
    """Return the drawing: the stages in a row, and below them the packages in layers."""
    top = 2 * MARGIN + 30 + STAGE_HEIGHT + 50
    boxes, height = _layers(top)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>The stages of the graph, and the packages of drnsr</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8"'
        ' markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#55555f"/></marker></defs>',
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        _text(
            MARGIN,
            MARGIN + 14,
            "pipelines/: the stages of dvc.yaml with their first output",
            "title",
        ),
        *_row_of_stages(list(_stages()), MARGIN + 30),
        _text(
            MARGIN, top - 14, "src/drnsr/: the packages; each imports only those below it", "title"
        ),
        *boxes,
    ]
    return "\n".join([*parts, "</svg>", ""])


def _stages() -> Iterator[tuple[str, str]]:
    """Yield each stage of the graph with its first output."""
    for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items():
        outputs = [
            next(iter(each)) if isinstance(each, dict) else each
            for key in ("outs", "metrics", "plots")
            for each in stage.get(key, [])
        ]
        yield name, outputs[0]


def _row_of_stages(stages: list[tuple[str, str]], top: int) -> Iterator[str]:
    space = 24
    width = (WIDTH - 2 * MARGIN - space * (len(stages) - 1)) / len(stages)
    for number, (name, output) in enumerate(stages):
        left = MARGIN + number * (width + space)
        yield _box(left, top, width, STAGE_HEIGHT, "stage")
        yield _text(left + width / 2, top + 22, name, "name")
        folder, _, file = output.rpartition("/")
        lines = [f"{folder}/", file] if folder else [file]
        yield from _lines(lines, left + width / 2, top + 22)
        if number:
            middle = top + STAGE_HEIGHT / 2
            yield f'<path class="arrow" d="M{left - space + 3:.0f} {middle:.0f}h{space - 6}"/>'


def _layers(top: int) -> tuple[list[str], int]:
    """Return the boxes of the packages, the highest layer first, and where the drawing ends."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = [each for each in settings["contracts"] if each.get("containers") == ["drnsr"]]
    parts: list[str] = []
    for layer in contract["layers"]:
        names = layer.split(" | ")
        width = (WIDTH - 2 * MARGIN - GAP * (len(names) - 1)) / len(names)
        texts = [wrap(_summary(name), int((width - 12) / LETTER)) for name in names]
        height = 28 + LINE_HEIGHT * max(len(lines) for lines in texts)
        for number, (name, lines) in enumerate(zip(names, texts, strict=True)):
            left = MARGIN + number * (width + GAP)
            parts.append(_box(left, top, width, height, "package"))
            parts.append(_text(left + width / 2, top + 18, name, "name"))
            parts += _lines(lines, left + width / 2, top + 18)
        top += height + GAP
    return parts, top + MARGIN


def _summary(name: str) -> str:
    """Return the first sentence of the docstring of a package or module."""
    path = ROOT / "src/drnsr" / name
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    sentence = docstring.partition("\n\n")[0].replace("\n", " ").partition(". ")[0]
    return sentence.rstrip(".").replace("`", "")


def _lines(lines: list[str], x: float, above: float) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        yield _text(x, above + number * LINE_HEIGHT + 1, line, "small")


def _box(left: float, top: float, width: float, height: float, kind: str) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}"'
    return f'<rect class="{kind}" x="{left:.0f}" y="{top:.0f}" {size}/>'


def _text(x: float, y: float, content: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}">{escape(content)}</text>'


if __name__ == "__main__":
    DRAWING.write_text(draw())
