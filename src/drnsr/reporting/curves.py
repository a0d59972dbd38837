"""The training curves as one SVG picture."""

import csv
import io
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

_BLUE = "#1f5fa8"


def curves_svg(loss_file: Path, psnr_file: Path) -> str:
    """Draw loss and validation PSNR over the steps; equal files give equal SVG.

    Args:
        loss_file: CSV with the columns ``step`` and ``loss``.
        psnr_file: CSV with the columns ``step`` and ``psnr_db``.
    """
    with matplotlib.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "drnsr",
            "font.size": 10,
            "font.family": "sans-serif",
        }
    ):
        figure = Figure(figsize=(9, 3), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot(*_columns(loss_file, "step", "loss"), color=_BLUE, linewidth=1)
        left.set(title="Training loss", xlabel="step", ylabel="loss")
        right.plot(*_columns(psnr_file, "step", "psnr_db"), color=_BLUE, marker="o", markersize=4)
        right.set(title="Validation PSNR (RGB)", xlabel="step", ylabel="dB")
        for axes in (left, right):
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]


def _columns(path: Path, *names: str) -> list[list[float]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [[float(row[name]) for row in rows] for name in names]
