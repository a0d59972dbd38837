"""The notebooks as pages: their text and code, without outputs, which the files have not either."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"


def page(path: Path) -> str:
    """Return a notebook in Markdown."""
    parts = []
    for cell in json.loads(path.read_text())["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    parts.insert(1, f"[{path.name}]({path.name}) is the notebook itself; open it with Jupyter.")
    return "\n\n".join(parts) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    f"notebooks/{path.stem}.md": partial(page, path) for path in sorted(FOLDER.glob("*.ipynb"))
}
