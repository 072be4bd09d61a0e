"""Which rows of a table can be told apart, below it: ranks with bars over what cannot, and every pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from emoji_pred.errors import UserError
from experiments import numbers, ranking, significance
from experiments.html_report import wording
from experiments.html_report.bars import Bar, bars, drawn_column
from experiments.measured import Measured, Shelf
from experiments.ranking import LeftOut, Summary
from experiments.significance import Comparison
from experiments.table import Table

FEWEST = 3  # rows that are ranked: of two the cells say enough
ABOUT = (
    "Rows beside one bar cannot be told apart: paired bootstrap over the rows of the split and Student's t "
    "over seeds, the larger p value of both, corrected by Holm over all pairs, at 5 %. ¹ one seed: what "
    "another would give is not known. Of every pair: ▲ the row is better than the column's, = they cannot be "
    "told apart; pointed at, a sign tells the row's number less the column's, its interval and p."
)


def section(table: Table, shelf: Shelf) -> str:
    """Comparisons on each column, folded, the drawn column first; "" where none compares three rows."""
    try:
        ranked = [one for one in ranking.summary(table, shelf) if len(one.rows) >= FEWEST]
    except UserError as error:  # a library is not installed
        return f"<p class=footnote>{wording.escape(error)}</p>"
    if not ranked:
        return ""
    (heading, body), *others = _columns(table, ranked, shelf)
    rest = "".join(f"<details><summary>{name}</summary>{inside}</details>" for name, inside in others)
    more = f", and in {len(others)} more" if others else ""
    return (
        f"<details class=compared><summary>Which rows differ in {heading}{more}</summary>"
        f"<p class=soft>{ABOUT}</p>{body}{rest}</details>"
    )


def _places(table: Table, ranked: Sequence[Summary]) -> list[int]:
    """The columns that compare rows, first the one that is drawn."""
    compared = {one.column for one in ranked}
    drawn = drawn_column(table)
    places = [place for place, heading in enumerate(table.head) if heading in compared]
    return sorted(places, key=lambda place: (place != drawn, place))


def _columns(table: Table, ranked: Sequence[Summary], shelf: Shelf) -> Iterator[tuple[str, str]]:
    """Headings, and ranks for each set of rows that can be compared; of the first column every pair too."""
    pairs, left_out = significance.compare(table, shelf), ranking.left_out(table, shelf, FEWEST)
    places = _places(table, ranked)
    for place in places:
        column, is_first = table.head[place], place == places[0]
        cells = [row.cells[place] for row in table.rows]
        measured = [None if cell is None else shelf.measured(cell) for cell in cells]
        of_column = [pair for pair in pairs if pair.column == column]
        parts = []
        for one in (summary for summary in ranked if summary.column == column):
            parts.append(_ranks(one, measured, is_first))
            if is_first:
                parts.append(_pairs(one, of_column))
        parts += [_left_out(one) for one in left_out if one.column == column]
        yield wording.escape(column), "".join(parts)


def _left_out(found: LeftOut) -> str:
    labels = "; ".join(map(wording.name, found.labels))
    return f"<p class=footnote>Not compared: {labels}: {wording.escape(found.reason)}.</p>"


def _ranks(summary: Summary, measured: Sequence[Measured | None], is_drawn: bool) -> str:
    """The best first; beside each row the bars of its groups, and of its number if drawn."""
    found = [(one, measured[one.place]) for one in summary.rows]
    numbered = [Bar.of(of) if of and is_drawn else None for _, of in found]
    drawn = [f"<td class=drawn>{bar}</td>" for bar in bars(numbered)] or [""] * len(found)
    rows = []
    for (one, of), bar in zip(found, drawn, strict=True):
        mean = numbers.mean(of) if of else wording.DASH
        own = _letters(one.letters)
        within = [ranking.letter(place) in own for place in range(len(summary.groups))]
        groups = "".join("<td class='group in'><i></i></td>" if inside else "<td></td>" for inside in within)
        seed = "<sup>1</sup>" if one.one_seed else ""
        rows.append(
            f"<tr><th scope=row>{wording.name(one.label)}{seed}</th><td class=number>{mean}</td>"
            f"<td class=number>{one.letters}</td>{groups}{bar}</tr>"
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
    """Each row against those ranked after it: which are told apart, and the numbers when pointed at."""
    order = [one.place for one in summary.rows]
    labels = {one.place: one.label for one in summary.rows}
    known = {pair.places: pair for pair in pairs}
    lines = []
    for number, first in enumerate(order[:-1], 1):
        cells = f"<td colspan={number - 1}></td>" if number > 1 else ""
        cells += "".join(_pair(first, second, known) for second in order[number:])
        lines.append(f"<tr><th scope=row>{number}. {wording.name(labels[first])}</th>{cells}</tr>")
    heads = "".join(f"<th scope=col>{number}</th>" for number in range(2, len(order) + 1))
    last = wording.name(labels[order[-1]])
    return (
        "<details><summary>Every pair</summary><div class=scroll><table class=pairs><thead><tr>"
        f"<th scope=col></th>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
        f"<p class=soft>Column {len(order)} is {last}.</p></details>"
    )


def _pair(better: int, other: int, known: dict[tuple[int, int], Comparison]) -> str:
    pair = known[min(better, other), max(better, other)]
    if pair.difference is None or pair.interval is None or pair.corrected is None:
        return f'<td title="{wording.escape(pair.reason)}">{wording.DASH}</td>'
    away, (low, high) = pair.difference, pair.interval
    if better > other:  # the pair is listed the other way round
        away, low, high = -away, -high, -low
    words = f"{away:+.4g} [{low:.4g}, {high:.4g}], p = {pair.corrected:.2g}"
    return f'<td class=better title="{words}">▲</td>' if pair.differs else f'<td title="{words}">=</td>'
