"""Draw docs/assets/terminal.svg: `python -m docs.generate.terminal`.

It is a real output: three stages of a small training run on a terminal of their own. `make docs`
runs them again, and fails if the lines are others; numbers and bars differ from run to run.
"""

import fcntl
import io
import logging
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from rich.text import Text

ROOT = Path(__file__).resolve().parents[2]
DRAWING = ROOT / "docs/assets/terminal.svg"

_COLUMNS = 108
_CHOICES = {
    "experiment": "smoke",
    "set": {
        "trainer": {"max_steps": 60, "validate_every": 10, "precision": "32-true"},
        "logger": {"experiment": None},
    },
}
_REDRAWN = "\r\x1b[2K"  # rich draws a line anew
_IN_THE_MIDDLE = re.compile(r"training .*\d:\d\d:\d\d left.*PSNR")


def run() -> None:
    """Run the stages in this folder, as `dvc repro` does."""
    from drnsr.config.compose import compose_choices, validate
    from pipelines.app import announced
    from pipelines.fetch import fetch
    from pipelines.prepare import prepare
    from pipelines.train import train

    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    logging.getLogger("drnsr").setLevel(logging.INFO)
    config = validate(compose_choices(_CHOICES))
    for stage in (fetch, prepare, train):
        announced(stage, config)


def output() -> str:
    """Return all that the stages write to a terminal."""
    terminal, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, _COLUMNS, 0, 0))
    written = b""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "conf").symlink_to(ROOT / "conf")
        path = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
        process = subprocess.Popen(
            [sys.executable, "-c", "from docs.generate.terminal import run; run()"],
            cwd=folder,
            stdin=its_end,
            stdout=its_end,
            stderr=its_end,
            env={**os.environ, "PYTHONPATH": path, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(its_end)
        try:
            while part := os.read(terminal, 4096):
                written += part
        except OSError:  # the stages have ended
            pass
        if process.wait():
            sys.exit(written.decode())
    os.close(terminal)
    return written.decode()


def shown_lines(written: str) -> list[str]:
    """Return the lines on the screen at a moment in the middle of the training."""
    lines = []
    for line in written.split("\r\n"):
        frames = line.split(_REDRAWN)
        middle = [each for each in frames if _IN_THE_MIDDLE.search(Text.from_ansi(each).plain)]
        if middle:
            return [*lines, middle[len(middle) // 2]]
        if frames[-1].strip():
            lines.append(frames[-1])
    sys.exit(f"the training was never seen in its middle:\n{written}")


def draw(lines: list[str]) -> str:
    """Draw lines with colours of a terminal as SVG."""
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=True)
    drawn = console.export_svg(
        title="fetch, prepare and train", theme=DEFAULT_TERMINAL_THEME, unique_id="drnsr"
    )
    fonts = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # they would come from the web
    return fonts.sub("", drawn)


def texts(drawing: str) -> list[str]:
    """Return what a drawing says, line by line, without what differs from run to run."""
    lines: dict[str, str] = {}
    for each in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text"):
        place = each.get("clip-path", "title")
        lines[place] = lines.get(place, "") + "".join(each.itertext())
    kept = (re.sub("[━╸╺]+", "━", re.sub(r"\d[\d:.]*", "0", line)) for line in lines.values())
    return [" ".join(line.split()) for line in kept]


def check() -> str:
    """Draw anew; return why the drawing in docs is out of date, or nothing."""
    drawn = draw(shown_lines(output()))
    if DRAWING.is_file() and texts(drawn) == texts(DRAWING.read_text()):
        return ""
    name = DRAWING.relative_to(ROOT)
    return f"{name}: the lines are others now; python -m docs.generate.terminal draws it anew"


if __name__ == "__main__":
    DRAWING.write_text(draw(shown_lines(output())))
