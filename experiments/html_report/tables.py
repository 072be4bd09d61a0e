"""A table as HTML: in each cell the measured number, its interval, the published one and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments import numbers
from experiments.html_report import wording
from experiments.html_report.bars import Bar, bars, drawn_column
from experiments.html_report.collected import Collected
from experiments.measured import ROWS, SEEDS, Measured
from experiments.table import Experiment, Row, Table

Line = list[tuple[int, Measured] | None]  # of each cell its number in the page, and what was measured


def section(table: Table, collected: Collected, drawn_above: str = "", below: str = "") -> str:
    """The table with what stands above and below it.

    Args:
        table: which.
        collected: takes its cells.
        drawn_above, below: HTML that belongs to it.
    """
    lines = [_line(table, place, row, collected) for place, row in enumerate(table.rows)]
    runs = [_runs(line) for line in lines]
    common = runs[0] if len(runs) > 1 and len(set(runs)) == 1 else ""
    kind = "of the paper" if table.in_paper else "ours"
    about = f"<div class=about>{wording.prose(table.about)}</div>" if table.about else ""
    return (
        f'<section class=table id="{wording.escape(table.name)}">'
        f"<h3>{wording.escape(table.title)} {permalink(table.name)}<span class=kind>{kind}</span></h3>"
        f"{about}{drawn_above}"
        f'<div class=scroll tabindex=0 role=region aria-label="{wording.escape(table.title)}">'
        f"{_grid(table, lines, [] if common else runs)}</div>"
        f"{_each_row(common)}{_notes(table, lines, collected)}{below}</section>"
    )


def _grid(table: Table, lines: Sequence[Line], runs: Sequence[str]) -> str:
    """The table itself; with a last column where the rows are not all of the same number of runs."""
    column = drawn_column(table)
    drawn = _bars(lines, column) or [""] * len(lines)
    counted = [f"<td class=runs>{one}</td>" for one in runs] or [""] * len(lines)
    heads = "".join(f"<th scope=col>{wording.escape(head)}</th>" for head in table.head)
    if any(drawn) and column is not None:
        heads += f"<th scope=col class=drawn>{wording.escape(table.head[column])}{_key(lines, column)}</th>"
    heads += "<th scope=col>runs</th>" if runs else ""
    body = "".join(
        _row(row, line, bar + count)
        for row, line, bar, count in zip(table.rows, lines, drawn, counted, strict=True)
    )
    wordy = any(len(row.label + row.note) > WORDY for row in table.rows)
    return (
        f"<table{' class=wordy' if wordy else ''}><thead><tr><th scope=col></th>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


MOST_NAMED = 6  # rows in a note
WORDY = 20  # characters of a label beyond which the first column is wide
MEASURED, PUBLISHED = "<i class=measured></i>measured ", "<i class=published></i>published"


def _key(lines: Sequence[Line], column: int) -> str:
    """What the parts of a bar are."""
    entries = [line[column] for line in lines]
    printed = any(entry and entry[1].cell.published is not None for entry in entries)
    return f"<span class=key>{MEASURED}{PUBLISHED if printed else ''}</span>"


def permalink(name: str) -> str:
    """A link to a place in the page, to be copied."""
    return f'<a class=anchor href="#{wording.escape(name)}">{wording.escape(name)}</a>'


def _line(table: Table, place: int, row: Row, collected: Collected) -> Line:
    return [
        collected.cell(f"{table.name}-{place + 1}-{column + 1}", (table.title, row.label, head), cell)
        if cell
        else None
        for column, (head, cell) in enumerate(zip(table.head, row.cells, strict=True))
    ]


def _row(row: Row, line: Line, right: str) -> str:
    note = f"<small class=note>{wording.prose_line(row.note)}</small>" if row.note else ""
    cells = "".join(_cell(entry, row.label) for entry in line)
    return f"<tr><th scope=row>{wording.name(row.label)}{note}</th>{cells}{right}</tr>"


def _each_row(runs: str) -> str:
    """Of how many runs every row is, said once."""
    return f"<p class=footnote>Each row: {runs}.</p>" if runs not in ("", "none", wording.DASH) else ""


def _runs(line: Line) -> str:
    """Of how many runs the numbers of a line are; of its counts only where it has nothing else."""
    measured = [entry[1] for entry in line if entry]
    scores = [one for one in measured if not one.cell.metric.is_count]
    return " / ".join(dict.fromkeys(map(runs_in_words, scores or measured)))


def _cell(entry: tuple[int, Measured] | None, row: str) -> str:
    if entry is None:
        return "<td class=empty></td>"
    index, measured = entry
    verdict = measured.verdict
    return (
        f'<td data-v="{wording.css_name(verdict)}"><button type=button data-cell={index} '
        f'title="{verdict.value}: {wording.MEANINGS[verdict]}">{inside(measured)}</button></td>'
    )


def inside(measured: Measured) -> str:
    """Sign, number and interval; below them what was published, and the difference."""
    verdict = measured.verdict
    sign = f"<i aria-hidden=true>{wording.SIGNS[verdict]}</i><span class=hidden>{verdict.value}: </span>"
    # What stale runs said is never shown as the plain number.
    mean = f"({numbers.mean(measured.before)})" if measured.before else numbers.mean(measured)
    spread = "stale" if measured.stale else wording.interval(measured)
    lines = f"<b>{sign}{mean}</b>" + (f" <small>{spread}</small>" if spread else "")
    if measured.cell.published is None:
        return lines
    away = wording.difference(measured)
    return (
        f"{lines}<small class=paper>paper {wording.published(measured)}{f' · {away}' if away else ''}</small>"
    )


def runs_in_words(measured: Measured) -> str:
    """How many runs a number is of, and what its interval is over."""
    count, lacking = len(measured.values), len(measured.missing)
    if measured.before:
        return f"{len(measured.before.values)} stale"
    if not count:
        return "none" if lacking else wording.DASH
    words = f"{count} seeds" if count > 1 else "1 run"
    over = {SEEDS: "", ROWS: ", interval over rows"}.get(measured.interval_of, "")
    return words + over + (f", {lacking} more not run" if lacking else "")


def _bars(lines: Sequence[Line], column: int | None) -> list[str]:
    """The cells that hold a bar for one column; none where too few numbers are known."""
    if column is None:
        return []
    found = [line[column] for line in lines]
    drawn = bars([Bar.of(entry[1]) if entry else None for entry in found])
    return [f"<td class=drawn>{bar}</td>" for bar in drawn]


def _notes(table: Table, lines: Sequence[Line], collected: Collected) -> str:
    """Where the paper contradicts itself, what stands in for what, what was not run and how it would be."""
    parts = []
    if table.contradictions:
        items = "".join(f"<li>{wording.prose_line(one)}</li>" for one in table.contradictions)
        parts.append(f"<div class=notice><b>The paper contradicts itself</b><ul>{items}</ul></div>")
    stand_ins: dict[str, list[str]] = {}
    for row, line in zip(table.rows, lines, strict=True):
        for entry in line:
            if entry and entry[1].stand_in:
                labels = stand_ins.setdefault(entry[1].stand_in, [])
                labels += [] if row.label in labels else [row.label]
    for words, labels in stand_ins.items():
        of = "" if len(labels) == len(table.rows) else f" <span class=soft>({_few(labels)})</span>"
        parts.append(f"<p class=footnote>≁ {wording.prose_line(words)}{of}</p>")
    return "".join(parts) + _not_run(table, collected)


def _few(labels: Sequence[str]) -> str:
    left = len(labels) - MOST_NAMED
    named = ", ".join(map(wording.name, labels if left < 2 else labels[:MOST_NAMED]))
    return named if left < 2 else f"{named} and {left} more rows"


def _not_run(table: Table, collected: Collected) -> str:
    items = []
    for experiment in table.experiments:
        about = collected.about(experiment)
        if not about["runs"]:
            items.append(_lacking(table, experiment, about))
    if not items:
        return ""
    count = f"{len(items)} experiment{'s' if len(items) > 1 else ''} not run: why, and the command"
    return f"<details class=notrun><summary>○ {count}</summary><ul>{''.join(items)}</ul></details>"


def _lacking(table: Table, experiment: Experiment, about: Mapping[str, Any]) -> str:
    labels = [row.label for row in table.rows if any(c and c.experiment == experiment for c in row.cells)]
    whole = len(labels) == len(table.rows) > 1
    reason = wording.prose_line(about["lacking"]) if about["lacking"] else "not run yet"
    typed = about["command"] or about.get("asPublished", "")
    return (
        f"<li>{'all rows' if whole else _few(labels)}: {reason}<br><code>{wording.escape(typed)}</code></li>"
    )
