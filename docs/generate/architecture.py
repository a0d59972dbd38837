"""Draw docs/assets/architecture.svg: `python -m docs.generate.architecture`.

The rooms and their order are those of the contract in pyproject.toml, which import-linter enforces;
the stages and what they make are those of dvc.yaml. A test compares the file with what this draws.
"""

import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DRAWING = ROOT / "docs/assets/architecture.svg"

WIDTH, MARGIN, GAP = 960, 20, 8
STAGE_HEIGHT, ROOM_HEIGHT = 64, 34
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b1b1f; text-anchor: middle; }
text.title { font-weight: 600; text-anchor: start; }
text.small { font-size: 11px; fill: #55555f; }
rect { stroke: #8c8c9a; rx: 5; }
.page { fill: #ffffff; stroke: none; }
.stage { fill: #e3ecfb; } .room { fill: #eef3ea; }
.arrow { stroke: #55555f; fill: none; marker-end: url(#head); }
"""


def draw() -> str:
    """Return the drawing: the stages in a row, and below them the rooms, the lowest at the end."""
    stages = list(_stages())
    layers = _layers()
    top = 2 * MARGIN + 30 + STAGE_HEIGHT + 50
    height = top + len(layers) * (ROOM_HEIGHT + GAP) + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>The stages of the graph, and the rooms of the package</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8"'
        ' markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#55555f"/></marker></defs>',
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        _text(
            MARGIN, MARGIN + 14, "pipelines/: the stages of dvc.yaml, and what each makes", "title"
        ),
        *_row_of_stages(stages, MARGIN + 30),
        _text(MARGIN, top - 14, "src/drnsr/: the rooms; each imports only those below it", "title"),
    ]
    for number, rooms in enumerate(layers):
        parts += _boxes(rooms, top + number * (ROOM_HEIGHT + GAP), ROOM_HEIGHT, "room")
    return "\n".join([*parts, "</svg>", ""])


def _stages() -> Iterator[tuple[str, str]]:
    """Yield each stage of the graph with the first thing that it makes."""
    for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items():
        made = [
            next(iter(each)) if isinstance(each, dict) else each
            for key in ("outs", "metrics", "plots")
            for each in stage.get(key, [])
        ]
        yield name, made[0]


def _layers() -> list[list[str]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (rooms,) = [each for each in settings["contracts"] if each.get("containers") == ["drnsr"]]
    return [layer.split(" | ") for layer in rooms["layers"]]


def _row_of_stages(stages: list[tuple[str, str]], top: int) -> Iterator[str]:
    space = 24
    width = (WIDTH - 2 * MARGIN - space * (len(stages) - 1)) / len(stages)
    for number, (name, made) in enumerate(stages):
        left = MARGIN + number * (width + space)
        yield _box(left, top, width, STAGE_HEIGHT, "stage")
        yield _text(left + width / 2, top + 26, name)
        yield _text(left + width / 2, top + 46, Path(made).name, "small")
        if number:
            middle = top + STAGE_HEIGHT / 2
            yield f'<path class="arrow" d="M{left - space + 3:.0f} {middle:.0f}h{space - 6}"/>'


def _boxes(names: list[str], top: int, height: int, kind: str) -> Iterator[str]:
    width = (WIDTH - 2 * MARGIN - GAP * (len(names) - 1)) / len(names)
    for number, name in enumerate(names):
        left = MARGIN + number * (width + GAP)
        yield _box(left, top, width, height, kind)
        yield _text(left + width / 2, top + height / 2 + 5, name)


def _box(left: float, top: float, width: float, height: float, kind: str) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}"'
    return f'<rect class="{kind}" x="{left:.0f}" y="{top:.0f}" {size}/>'


def _text(x: float, y: float, content: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}">{escape(content)}</text>'


if __name__ == "__main__":
    DRAWING.write_text(draw())
