"""The project's README from the runs: its figure, which tells the story of the leak, and its table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from emoji_pred import runs
from emoji_pred.errors import UserError
from experiments import figures, numbers
from experiments.keeping import ROOT
from experiments.markup import grid, sentence
from experiments.measured import Measured, Shelf
from experiments.table import Cell, Metric
from experiments.tables.tweeteval import AS_DISTRIBUTED, LEAK_FREE, MODELS, PUBLISHED, TABLE_OF
from experiments.tables.tweeteval_reports import REPORTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

README = ROOT / "README.md"
STORY = ROOT / "results" / "figures" / "story.svg"
FIGURE_MARKS = ("<!-- results figure: begin -->", "<!-- results figure: end -->")
TABLE_MARKS = ("<!-- results table: begin -->", "<!-- results table: end -->")
SHOWN = ("FFN", "Transformer", "CNN", "Multi-scale BERT", "n-gram SVM, balanced")
MACRO_F1, ACCURACY = Metric("macro F1", "macro_f1"), Metric("accuracy", "accuracy")
PAPER, MEASURED, CLEAN = "published", "measured, as distributed", "measured, leak-free"
GAP = "what U+FE0F gives"
HALF_INCH = 0.55  # of height for each model
CAPTION = (
    "Macro F1 of four published architectures and of a linear model on TweetEval-emoji. Lines are 95 % "
    "intervals, over seeds or, of one run, over test rows. The gap between the two measurements is an "
    "invisible character (U+FE0F) that a removed heart or sun leaves behind in its tweet: see "
    "[Results](#results)."
)


def write_readme(shelf: Shelf, page: Path = README, story: Path = STORY) -> list[Path]:
    """Put the figure and the table into the project's README; what was written.

    Args:
        shelf: the runs.
        page: the README.
        story: the SVG.

    Raises:
        UserError: a place for them is not there.
    """
    picture = ""
    if draw(shelf, story):
        path = story.relative_to(page.parent).as_posix()
        picture = f"![{alternative(shelf)}]({path})\n\n{CAPTION}\n"
    text = page.read_text(encoding="utf-8")
    text = between_marks(text, FIGURE_MARKS, picture, page.name)
    text = between_marks(text, TABLE_MARKS, table(shelf), page.name)
    with runs.replace_file(page) as stream:
        stream.write(text.encode())
    return [page, *([story] if picture else [])]


def between_marks(page: str, marks: tuple[str, str], text: str, name: str) -> str:
    """A page with a text in the place of what stands between two marks.

    Raises:
        UserError: the marks are not there.
    """
    before, begin, rest = page.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise UserError(f"{name} has no place for the results; put back {marks[0]} and {marks[1]}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def readings(shelf: Shelf, label: str, metric: Metric, published: float | None) -> tuple[Measured, Measured]:
    """What was measured of a model as distributed, beside what was published, and leak-free."""
    return (
        shelf.measured(Cell(MODELS[AS_DISTRIBUTED][label], metric, published)),
        shelf.measured(Cell(MODELS[LEAK_FREE][label], metric)),
    )


def alternative(shelf: Shelf) -> str:
    """The figure in words, for those who cannot see it."""
    parts = []
    for label in SHOWN:
        published = PUBLISHED.get(label)
        leaking, clean = readings(shelf, label, MACRO_F1, published)
        said = [f"published {published:.2f}"] if published is not None else []
        said += [f"as distributed {numbers.mean(leaking)}", f"leak-free {numbers.mean(clean)}"]
        parts.append(f"{label} {', '.join(said)}")
    return f"Macro F1 on TweetEval-emoji: {'; '.join(parts)}."


def draw(shelf: Shelf, path: Path) -> bool:
    """Draw published, measured and leak-free macro F1 of each model; whether there was anything measured."""
    found = [(label, *readings(shelf, label, MACRO_F1, PUBLISHED.get(label))) for label in SHOWN]
    if all(leaking.mean is None and clean.mean is None for _, leaking, clean in found):
        return False
    with figures.canvas(path, (8, 1.1 + HALF_INCH * len(found))) as (drawing, ((axis,),)):
        for place, (_, leaking, clean) in enumerate(found):
            _model(axis, place, leaking, clean)
        axis.set_yticks(range(len(found)), list(_names(shelf)))
        axis.set_ylim(len(found) - 0.5, -0.5)
        axis.set_xlim(left=0)
        axis.tick_params(axis="y", length=0, labelsize=11)
        axis.set_xlabel("macro F1 on the 50,000 test tweets (20 emoji)")
        axis.grid(False, axis="y")
        axis.spines["left"].set_visible(False)
        handles, labels = axis.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        drawing.legend(unique.values(), unique.keys(), loc="outside upper center", ncols=len(unique))
    return True


def _names(shelf: Shelf) -> Iterator[str]:
    for label in SHOWN:
        is_stand_in = shelf.stand_in(MODELS[AS_DISTRIBUTED][label])
        below = (
            "\n(small stand-in encoder)" if is_stand_in else "" if label in PUBLISHED else "\n(ours, linear)"
        )
        yield label + below


def _model(axis: Axes, place: int, leaking: Measured, clean: Measured) -> None:
    """One line: the gap that the leak makes, and the three numbers on it."""
    if leaking.mean is not None and clean.mean is not None:
        axis.plot(
            [leaking.mean, clean.mean], [place, place], color=figures.PALE, linewidth=7, zorder=1, label=GAP
        )
    for found, colour, marker, name in (
        (clean, figures.GREEN, "s", CLEAN),
        (leaking, figures.BLUE, "o", MEASURED),
    ):
        if found.mean is None:
            continue
        if found.interval is not None:
            axis.plot(found.interval, [place, place], color=colour, linewidth=1.6, zorder=2)
        axis.plot([found.mean], [place], marker, color=colour, markersize=8, zorder=3, label=name)
        _write(axis, found.mean, place, numbers.mean(found), colour, above=found is leaking)
    published = leaking.cell.published
    if published is not None:
        axis.plot(
            [published], [place], "D", markersize=8, zorder=4, label=PAPER,
            markerfacecolor=figures.PAPER, markeredgecolor=figures.ORANGE, markeredgewidth=2,
        )  # fmt: skip
        _write(axis, published, place, f"{published:.2f}", figures.ORANGE, above=False)


def _write(axis: Axes, value: float, place: int, text: str, colour: str, above: bool) -> None:
    axis.annotate(
        text, (value, place), (0, 8 if above else -17), textcoords="offset points", ha="center", fontsize=9,
        color=colour,
    )  # fmt: skip


def table(shelf: Shelf) -> str:
    """Accuracy and macro F1 of each model: published, as distributed with its verdict, leak-free."""
    head = [""]
    for metric in (ACCURACY, MACRO_F1):
        head += [f"{metric.name}: paper", "as distributed", "", "leak-free"]
    rows = [_row(label, shelf) for label in MODELS[AS_DISTRIBUTED]]
    notes = [
        f"\\* {label}: {sentence(text)}"
        for label, experiment in MODELS[AS_DISTRIBUTED].items()
        if (text := shelf.stand_in(experiment))
    ]
    return "\n\n".join([grid(head, rows), *notes])


def _row(label: str, shelf: Shelf) -> list[str]:
    fields = [label + (" \\*" if shelf.stand_in(MODELS[AS_DISTRIBUTED][label]) else "")]
    report = REPORTS[TABLE_OF[label]] if label in TABLE_OF else None
    for metric, published in (
        (ACCURACY, report.accuracy if report else None),
        (MACRO_F1, report.macro[2] if report else None),
    ):
        leaking, clean = readings(shelf, label, metric, published)
        verdict = str(leaking.verdict) if published is not None and leaking.mean is not None else ""
        fields += [
            numbers.published(metric, published),
            numbers.mean_and_interval(leaking),
            verdict,
            numbers.mean_and_interval(clean),
        ]
    return fields
