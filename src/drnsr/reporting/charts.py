"""The charts of a page as SVG, in the page's colours: training curves, quality against cost."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox

from drnsr.training.scalars import CURVES, DISCRIMINATOR_CURVE, Curve

# Two colours of the drawing, which the SVG then takes from the page: dark and light have others.
_INK, _OURS, _THEIRS = "#010203", "#010204", "#010205"
_PAGE_COLOURS = {
    _INK: "currentColor",
    _OURS: "var(--accent)",
    _THEIRS: "var(--faint)",
}
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "drnsr",
    "font.size": 10,
    "font.family": "sans-serif",
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor"), _INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), _INK),
    "axes.formatter.useoffset": False,
    "savefig.transparent": True,
    "text.parse_math": False,  # a name may have dollars
}
_SIZE = (4.6, 3.1)  # inches
_MINOR_LABELS = 300  # the ratio of costs up to which 2 and 5 have room on the axis

# Where the label of a point may stand, in points from it, and how it is aligned.
_PLACES = (
    *((6, -3, "left"), (-6, -3, "right"), (0, 6, "center"), (0, -13, "center")),
    *((6, 6, "left"), (-6, 6, "right"), (6, -12, "left"), (-6, -12, "right")),
)


@dataclass(frozen=True)
class CostPoint:
    """A method in a chart of quality against cost.

    Attributes:
        name: its label.
        cost: on the logarithmic axis; larger than 0.
        quality: on the other axis.
        is_ours: whether it was measured here; others are published.
    """

    name: str
    cost: float
    quality: float
    is_ours: bool = False


def curve_charts(folder: Path, *, colour: str) -> list[str]:
    """Draw the first scalar of each curve over the steps; equal files give equal SVG.

    Of a training against a discriminator, the loss of this is drawn as well.

    Args:
        folder: of the CSV files of :data:`drnsr.training.scalars.CURVES`.
        colour: the channels that the network works on: "RGB", or "Y" for the luma.

    Returns:
        A chart for each curve that has points.
    """
    charts = []
    for curve in (*CURVES, DISCRIMINATOR_CURVE):
        steps, values = _read_points(folder / curve.file, curve)
        if steps:
            charts.append(_draw_curve(curve, steps, values, colour))
    return charts


def cost_chart(points: Sequence[CostPoint], *, cost: str, quality: str, title: str) -> str:
    """Draw quality over a logarithmic axis of cost; equal points give equal SVG.

    Labels do not overlap. A published method whose label has no room is a point without one.

    Args:
        points: the methods; at least one is ours, and those of a near quality are labelled first.
        cost: the label of the horizontal axis.
        quality: the label of the vertical axis.
        title: what the chart shows.
    """
    with matplotlib.rc_context(_STYLE):
        figure, axes = _new_chart(title, cost, quality)
        for is_ours, marker in ((False, "o"), (True, "D")):
            chosen = [point for point in points if point.is_ours == is_ours]
            axes.plot(
                [point.cost for point in chosen],
                [point.quality for point in chosen],
                marker=marker,
                markersize=7 if is_ours else 5,
                linestyle="none",
                color=_OURS if is_ours else _THEIRS,
            )
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator())
        axes.xaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
        axes.xaxis.set_major_formatter("{x:g}")
        costs = [point.cost for point in points]
        if max(costs) < _MINOR_LABELS * min(costs):
            axes.xaxis.set_minor_formatter("{x:g}")
        else:
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.12, y=0.12)
        own = [point.quality for point in points if point.is_ours]
        nearest_first = sorted(points, key=lambda point: min(abs(point.quality - q) for q in own))
        _label(axes, figure, nearest_first)
        return _to_svg(figure, f"{title}: {quality} over {cost}")


def _draw_curve(curve: Curve, steps: list[float], values: list[float], colour: str) -> str:
    scalar, title = curve.scalars[0], curve.title.format(colour=colour)
    with matplotlib.rc_context(_STYLE):
        figure, axes = _new_chart(title, "step", scalar.unit or scalar.label)
        is_line = curve.is_dense and len(steps) > 1
        style = {"linewidth": 1} if is_line else {"marker": "o", "markersize": 4}
        axes.plot(steps, values, color=_OURS, **style)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        return _to_svg(figure, title)


def _new_chart(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, layout="constrained")
    FigureCanvasAgg(figure)  # measures the labels
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _label(axes: Axes, figure: Figure, points: Sequence[CostPoint]) -> None:
    """Write the names beside the points, the first ones first, where they cover nothing."""
    figure.draw_without_rendering()
    inside = axes.get_window_extent()
    dots = [axes.transData.transform((point.cost, point.quality)) for point in points]
    taken = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in dots]
    for point in points:
        for x, y, align in _PLACES:
            text = axes.annotate(
                point.name,
                (point.cost, point.quality),
                (x, y),
                textcoords="offset points",
                fontsize=9 if point.is_ours else 8,
                fontweight="bold" if point.is_ours else "normal",
                color=_OURS if point.is_ours else _INK,
                horizontalalignment=align,
            )
            box = text.get_window_extent()
            is_free = not any(box.overlaps(other) for other in taken)
            if is_free and inside.x0 <= box.x0 and box.x1 <= inside.x1:
                taken.append(box)
                break
            text.remove()


def _to_svg(figure: Figure, description: str) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for drawn, shown in _PAGE_COLOURS.items():
        svg = svg.replace(drawn, shown)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(description)}"', 1)


def _read_points(file: Path, curve: Curve) -> list[list[float]]:
    """Return the steps and the values of the first scalar; no points without such a column."""
    if not file.is_file():
        return [[], []]
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    if rows and curve.header[1] not in rows[0]:
        return [[], []]
    return [[float(row[name]) for row in rows] for name in curve.header[:2]]
