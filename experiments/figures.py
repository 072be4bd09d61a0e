"""Figures of papers and findings, drawn from a shelf as SVG by matplotlib.

The same runs give the same bytes: no date, no random ids. An SVG has its own background and colours for light
and for dark screens, so it can be read on any page; its letters stay letters: emoji take the reader's font.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emoji_pred import runs
from emoji_pred.errors import UserError
from experiments import numbers
from experiments.keeping import KeptRun
from experiments.markup import named
from experiments.measured import Measured, Shelf
from experiments.table import Figure, Finding

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

INK, PALE, PAPER = "#1f2328", "#d0d7de", "#ffffff"
BLUE, ORANGE, GREEN, GREY = "#0969da", "#bc4c00", "#1a7f37", "#6e7781"
DARK = {  # what each colour becomes on a dark screen
    INK: "#e6edf3",
    PALE: "#3d444d",
    PAPER: "#0d1117",
    BLUE: "#58a6ff",
    ORANGE: "#f0883e",
    GREEN: "#3fb950",
    GREY: "#9198a1",
}
STYLE: Any = {
    "svg.hashsalt": "emoji_pred",
    "svg.fonttype": "none",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": PALE,
    "axes.facecolor": PAPER,
    "axes.titlesize": 11,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "grid.color": PALE,
    "grid.linewidth": 0.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
CURVES = {
    "loss": ("loss", ("train_loss", "val_loss")),
    "accuracy": ("accuracy", ("train_accuracy", "val_accuracy")),
}
SPLITS = {"train": ("training", BLUE), "val": ("validation", ORANGE)}


def draw(figure: Figure, shelf: Shelf, path: Path) -> bool:
    """Draw a figure of a paper; whether there was a run to draw it from.

    Args:
        figure: of kind `curves` or `class_counts`.
        shelf: the runs.
        path: of the SVG.
    """
    panels = [(label, shelf.runs(experiment)) for label, experiment in figure.experiments]
    panels = [(label, found) for label, found in panels if found]
    drawers = {"curves": draw_curves, "class_counts": draw_class_counts}
    return bool(panels) and figure.kind in drawers and drawers[figure.kind](panels, path)


def draw_curves(panels: Sequence[tuple[str, Sequence[KeptRun]]], path: Path) -> bool:
    """Loss to the left and accuracy to the right, by epoch, as the papers draw them; a line an experiment."""
    with_curves = [(label, found) for label, found in panels if any(run.result["curves"] for run in found)]
    if not with_curves:
        return False
    with canvas(path, (8, 3 * len(with_curves)), len(with_curves), len(CURVES)) as (_, axes):
        for line, (label, found) in zip(axes, with_curves, strict=True):
            for axis, (name, keys) in zip(line, CURVES.values(), strict=True):
                axis.set(title=f"{label}: {name}" if label else name, xlabel="epoch")
                for key in keys:
                    _lines(axis, [run.result["curves"] for run in found], key)
                axis.xaxis.get_major_locator().set_params(integer=True)
                axis.legend()
    return True


def _lines(axis: Axes, curves: Sequence[Sequence[Mapping[str, Any]]], key: str) -> None:
    """Each seed thin, and their mean as far as every seed has an epoch."""
    name, colour = SPLITS[key.partition("_")[0]]
    series = [[(one["epoch"] + 1, one[key]) for one in curve if one.get(key) is not None] for curve in curves]
    series = [one for one in series if one]
    if not series:
        return
    for one in series if len(series) > 1 else []:
        axis.plot(*zip(*one, strict=True), color=colour, linewidth=0.6, alpha=0.5)
    shared = sorted(set.intersection(*({epoch for epoch, _ in one} for one in series)))
    means = [float(np.mean([dict(one)[epoch] for one in series])) for epoch in shared]
    label = f"{name}, mean of {len(series)} seeds" if len(series) > 1 else name
    axis.plot(shared, means, color=colour, linewidth=2, marker="o", markersize=3.5, label=label)


def draw_class_counts(panels: Sequence[tuple[str, Sequence[KeptRun]]], path: Path) -> bool:
    """Rows of each class as bars: those of training where a run counted them, else those of its test."""
    counted = [(label, *class_counts(found[0])) for label, found in panels]
    tall = max(len(counts) for _, _, counts in counted)
    with canvas(path, (8, 1 + 0.28 * tall * len(counted)), len(counted)) as (_, axes):
        for (axis,), (label, split, counts) in zip(axes, counted, strict=True):
            names, rows = [named(name) for name in counts], list(counts.values())
            bars = axis.barh(range(len(rows)), rows, color=BLUE)
            axis.bar_label(
                bars, [numbers.number(count, 0) for count in rows], padding=3, fontsize=8, color=INK
            )
            axis.set_yticks(range(len(rows)), names)
            axis.set(title=f"{label}: {split} rows" if label else f"{split} rows")
            axis.invert_yaxis()
            axis.grid(False, axis="y")
            axis.margins(x=0.1)
    return True


def class_counts(run: KeptRun) -> tuple[str, dict[str, int]]:
    """Which rows were counted, and how many each class has."""
    counts = run.result["provenance"].get("class_counts")
    if counts:
        return "training", dict(zip(run.labels, counts, strict=True))
    split = "test" if run.result.get("test") else "validation"
    return split, {entry["label"]: entry["support"] for entry in run.result[split]["per_class"]}


def draw_finding(finding: Finding, shelf: Shelf, path: Path) -> bool:
    """The cells of a finding as bars with their intervals, a published number as a line across its bar."""
    bars = [(label, shelf.measured(cell)) for label, cell in finding.bars]
    if not any(found.mean is not None for _, found in bars):
        return False
    with canvas(path, (8, 0.8 + 0.38 * len(bars))) as (_, ((axis,),)):
        for place, (_, found) in enumerate(bars):
            _bar(axis, place, found)
        axis.set_yticks(range(len(bars)), [label for label, _ in bars])
        axis.set_xlabel(" / ".join(dict.fromkeys(found.cell.metric.name for _, found in bars)))
        axis.invert_yaxis()
        axis.grid(False, axis="y")
        axis.margins(x=0.12)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return True


def _bar(axis: Axes, place: int, found: Measured) -> None:
    if found.cell.published is not None:
        line = axis.plot([found.cell.published] * 2, [place - 0.4, place + 0.4], color=ORANGE, linewidth=2.5)
        if not axis.get_legend_handles_labels()[0]:
            line[0].set_label("published")
    if found.mean is None:
        axis.annotate(
            numbers.NOT_RUN, (0, place), (4, 0), textcoords="offset points", va="center", color=GREY
        )
        return
    axis.barh(place, found.mean, height=0.62, color=BLUE, zorder=1)
    end = found.mean
    if found.interval is not None:
        axis.plot(found.interval, [place, place], color=INK, linewidth=1.4)
        end = max(end, found.interval[1])
    if found.cell.published is not None:
        end = max(end, found.cell.published)
    axis.annotate(
        numbers.mean(found), (end, place), (5, 0), textcoords="offset points", va="center", fontsize=9
    )


@contextlib.contextmanager
def canvas(
    path: Path, size: tuple[float, float], lines: int = 1, columns: int = 1
) -> Iterator[tuple[Drawing, np.ndarray]]:
    """Axes to draw on, (lines, columns); the SVG is written when the block ends.

    Args:
        path: of the SVG.
        size: width and height in inches, of 72 points.
        lines: of axes.
        columns: of axes.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure as Drawing
    except ImportError as error:
        raise UserError("figures of tables need matplotlib: pip install -e '.[tables]'") from error

    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Glyph .* missing from font"
        )  # the reader's fonts draw emoji
        drawing = Drawing(figsize=size, layout="constrained")
        FigureCanvasSVG(drawing)
        yield drawing, drawing.subplots(lines, columns, squeeze=False)
        buffer = io.StringIO()
        drawing.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    path.parent.mkdir(parents=True, exist_ok=True)
    with runs.replace_file(path) as stream:
        stream.write(_for_dark_screens(buffer.getvalue()).encode())


def _for_dark_screens(svg: str) -> str:
    """The drawing with rules that change its colours where the reader's screen is dark."""
    rules = "".join(
        f'[style*="{part}: {light}"]{{{part}:{dark} !important}}'
        for light, dark in DARK.items()
        for part in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>"
    end = svg.index(">", svg.index("<svg")) + 1
    return "\n".join(line.rstrip() for line in (svg[:end] + style + svg[end:]).splitlines()) + "\n"
