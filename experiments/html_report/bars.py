"""Numbers as bars: a measured one with its interval, and a mark where the published one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.html_report import wording
from experiments.measured import Measured
from experiments.table import Table

FEWEST = 3  # rows with a number, for a figure
WIDTH, HEIGHT = 120, 16


@dataclass(frozen=True)
class Bar:
    """A measured number, the ends of its interval, and the published number; each may lack."""

    measured: float | None
    ends: tuple[float, float] | None
    published: float | None

    @classmethod
    def of(cls, measured: Measured) -> Bar:
        """The bar of a measurement."""
        return cls(measured.mean, measured.interval, measured.cell.published)

    @property
    def numbers(self) -> list[float]:
        """All that it shows."""
        return [one for one in (self.measured, self.published, *(self.ends or ())) if one is not None]


def drawn_column(table: Table) -> int | None:
    """The column that is drawn: F1 of classes, or macro F1, or the first that is no count."""
    best: tuple[int, int] | None = None
    for column in range(len(table.head)):
        metrics = {row.cells[column].metric for row in table.rows if row.cells[column]}  # type: ignore[union-attr]
        if not metrics or any(metric.is_count for metric in metrics):
            continue
        if len({metric.scale for metric in metrics}) > 1:
            continue
        paths = {metric.path for metric in metrics}
        rank = 0 if any(path.endswith("/f1") for path in paths) else 1 if paths == {"macro_f1"} else 2
        if best is None or rank < best[0]:
            best = (rank, column)
    return best[1] if best else None


def bars(wanted: Sequence[Bar | None]) -> list[str]:
    """An SVG for each, all on one scale from 0; an empty list where too few have a number."""
    numbers = [one.numbers if one else [] for one in wanted]
    if sum(bool(found) for found in numbers) < FEWEST:
        return []
    most = max((max(found) for found in numbers if found), default=0) or 1
    return [_bar(one, most) if found and one else "" for one, found in zip(wanted, numbers, strict=True)]


def _bar(bar: Bar, most: float) -> str:
    def at(value: float) -> str:
        return f"{max(value, 0) / most * (WIDTH - 4):.1f}"

    parts = []
    if bar.measured is not None:
        parts.append(f'<rect class=measured y=4 height=8 width="{at(bar.measured)}"/>')
    if bar.ends is not None:
        low, high = map(at, bar.ends)
        parts.append(f'<path class=whisker d="M{low} 8H{high}M{low} 5v6M{high} 5v6"/>')
    if bar.published is not None:
        parts.append(f'<path class=published d="M{at(bar.published)} 1v14"/>')
    return f'<svg viewBox="-1 0 {WIDTH} {HEIGHT}" aria-hidden=true>{"".join(parts)}</svg>'


def labelled(rows: Sequence[tuple[str, Bar, str]]) -> str:
    """Bars with their label to the left, and what is shown to the right.

    Args:
        rows: label and right side as HTML.
    """
    drawn = bars([bar for _, bar, _ in rows]) or _few([bar for _, bar, _ in rows])
    body = "".join(
        f"<tr><th scope=row>{label}</th><td class=drawn>{svg}</td>{right}</tr>"
        for (label, _, right), svg in zip(rows, drawn, strict=True)
    )
    return f"<div class=scroll><table class=bars><tbody>{body}</tbody></table></div>"


def _few(wanted: Sequence[Bar]) -> list[str]:
    most = max((number for bar in wanted for number in bar.numbers), default=0) or 1
    return [_bar(bar, most) for bar in wanted]


def counted(counts: Sequence[tuple[str, int]]) -> str:
    """Classes with their rows, the largest first."""
    ordered = sorted(counts, key=lambda one: -one[1])
    return labelled(
        [
            (wording.name(label), Bar(float(rows), None, None), f"<td class=number>{rows:,}</td>")
            for label, rows in ordered
        ]
    )
