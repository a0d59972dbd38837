"""The training curves as one SVG picture."""

import csv
import io
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from drnsr.training.scalars import CURVES, Curve

_BLUE = "#1f5fa8"


def curves_svg(folder: Path, *, colour: str) -> str:
    """Draw the first scalar of each curve over the steps; equal files give equal SVG.

    Args:
        folder: of the CSV files of :data:`drnsr.training.scalars.CURVES`.
        colour: the channels that the network works on: "RGB", or "Y" for the luma.
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
        for axes, curve in zip(figure.subplots(1, len(CURVES)), CURVES, strict=True):
            style = {"linewidth": 1} if curve.is_dense else {"marker": "o", "markersize": 4}
            axes.plot(*_read_points(folder, curve), color=_BLUE, **style)
            scalar = curve.scalars[0]
            axes.set(
                title=curve.title.format(colour=colour),
                xlabel="step",
                ylabel=scalar.unit or scalar.label,
            )
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]


def _read_points(folder: Path, curve: Curve) -> list[list[float]]:
    """Return the steps and the values of the first scalar."""
    with (folder / curve.file).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [[float(row[name]) for row in rows] for name in curve.header[:2]]
