"""Which rows of a table can be told apart, below it: ranks with bars over what cannot, and every pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from emoji_pred.errors import UserError
from experiments import numbers, significance
from experiments.html_report import wording
from experiments.html_report.bars import Bar, bars, drawn_column
from experiments.measured import Measured, Shelf
from experiments.significance import Comparison, Summary
from experiments.table import Table

FEWEST = 3  # rows that are ranked: of two the cells say enough
ABOUT = (
    "Rows beside one bar cannot be told apart: paired bootstrap over the rows of the split and Student's t "
    "over seeds, the larger p value of both, corrected by Holm over all pairs, at 5 %. ¹ one seed: what "
    "another would give is not known."
)


def section(table: Table, shelf: Shelf) -> str:
    """The comparison on one column, folded; "" where no column compares three rows."""
    for column in _columns(table):
        narrow = _narrowed(table, column)
        try:
            ranked = [one for one in significance.summary(narrow, shelf) if len(one.rows) >= FEWEST]
        except UserError as error:  # a library is not installed
            return f"<p class=footnote>{wording.escape(error)}</p>"
        if ranked:
            pairs = significance.compare(narrow, shelf)
            measured = [shelf.measured(row.cells[0]) if row.cells[0] else None for row in narrow.rows]
            body = "".join(_ranks(one, measured) + _pairs(one, pairs) for one in ranked)
            title = f"Which rows differ in {wording.escape(table.head[column])}"
            return (
                f"<details class=compared><summary>{title}</summary><p class=soft>{ABOUT}</p>{body}</details>"
            )
    return ""


def _columns(table: Table) -> list[int]:
    """Those to try: first the one that is drawn."""
    first = drawn_column(table)
    return [] if first is None else [first, *(place for place in range(len(table.head)) if place != first)]


def _narrowed(table: Table, column: int) -> Table:
    rows = tuple(replace(row, cells=(row.cells[column],)) for row in table.rows)
    return replace(table, head=(table.head[column],), rows=rows)


def _ranks(summary: Summary, measured: Sequence[Measured | None]) -> str:
    """The best first; beside each row the bars of the groups that it is in."""
    found = [(one, measured[one.place]) for one in summary.rows]
    drawn = bars([Bar.of(of) if of else None for _, of in found]) or [""] * len(found)
    rows = []
    for (one, of), bar in zip(found, drawn, strict=True):
        mean = numbers.mean(of) if of else wording.DASH
        own = _letters(one.letters)
        within = [significance.letter(place) in own for place in range(len(summary.groups))]
        groups = "".join(f"<td class='group{' in' if inside else ''}'><i></i></td>" for inside in within)
        seed = "<sup>1</sup>" if one.one_seed else ""
        rows.append(
            f"<tr><th scope=row>{wording.name(one.label)}{seed}</th><td class=number>{mean}</td>"
            f"<td class=number>{one.letters}</td>{groups}<td class=drawn>{bar}</td></tr>"
        )
    return f"<div class=scroll><table class='ranks wordy'><tbody>{''.join(rows)}</tbody></table></div>"


def _letters(written: str) -> list[str]:
    """`ab1c` as a, b1, c."""
    found: list[str] = []
    for sign in written:
        if sign.isdigit():
            found[-1] += sign
        else:
            found.append(sign)
    return found


def _pairs(summary: Summary, pairs: Sequence[Comparison]) -> str:
    """Rows against rows: which is above where they differ, with the numbers when it is pointed at."""
    order = [one.place for one in summary.rows]
    labels = {one.place: one.label for one in summary.rows}
    known = {pair.places: pair for pair in pairs}
    lines = []
    for number, first in enumerate(order, 1):
        cells = "".join(_pair(first, second, known) for second in order)
        lines.append(f"<tr><th scope=row>{number}. {wording.name(labels[first])}</th>{cells}</tr>")
    heads = "".join(f"<th scope=col>{number}</th>" for number in range(1, len(order) + 1))
    return (
        "<details><summary>Every pair</summary><div class=scroll><table class=pairs><thead><tr>"
        f"<th scope=col></th>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div></details>"
    )


def _pair(first: int, second: int, known: dict[tuple[int, int], Comparison]) -> str:
    if first == second:
        return "<td class=empty></td>"
    pair = known[min(first, second), max(first, second)]
    if pair.difference is None or pair.interval is None or pair.corrected is None:
        return f'<td title="{wording.escape(pair.reason)}">{wording.DASH}</td>'
    turned = first > second
    away, (low, high) = pair.difference, pair.interval
    if turned:
        away, low, high = -away, -high, -low
    words = f"{away:+.4g} [{low:.4g}, {high:.4g}], p = {pair.corrected:.2g}"
    if not pair.differs:
        return f'<td title="{words}">=</td>'
    kind, sign = ("above", "▲") if away > 0 else ("below", "▼")
    return f'<td class={kind} title="{words}">{sign}</td>'
