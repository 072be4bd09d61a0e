"""Which rows of a table differ by more than chance, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from emoji_pred.errors import UserError
from experiments import numbers
from experiments.markup import grid, named
from experiments.measured import Shelf
from experiments.table import Cell, Metric, Table

if TYPE_CHECKING:
    from experiments.ranking import LeftOut, Summary

ONE_SEED = "°"
ABOUT = (
    "Rows that share a letter are not told apart at the 5 % level: paired bootstrap over the rows of the "
    "split and Student's t over seeds, the larger p value of both, corrected by Holm's method over all pairs."
)
OF_ONE_SEED = f"{ONE_SEED} one run of a model that another seed would change: how much, nobody knows."


def comparisons(table: Table, shelf: Shelf) -> str:
    """Letters for the rows of each column that is one metric, folded away; "" where nothing compares.

    Args:
        table: whose rows.
        shelf: the runs.
    """
    from experiments import ranking

    try:
        found = ranking.summary(table, shelf)
    except UserError as error:  # a library that is not there takes no more from the report than this
        return f"Which rows differ is left out: {error}"
    if not found:
        return ""
    grids = [_grid(group, table) for group in _by_rows(found)]
    notes = [OF_ONE_SEED] if any(row.one_seed for summary in found for row in summary.rows) else []
    others = [_left_out(one) for one in ranking.left_out(table, shelf)]
    inside = "\n\n".join([ABOUT, *grids, *notes, *others])
    return f"<details><summary>Which rows differ</summary>\n\n{inside}\n\n</details>"


def _left_out(found: LeftOut) -> str:
    return f"Not compared in `{found.column}`: {'; '.join(map(named, found.labels))}: {found.reason}."


def _by_rows(found: Iterable[Summary]) -> list[list[Summary]]:
    """Summaries of the same rows stand side by side."""
    groups: dict[frozenset[int], list[Summary]] = {}
    for summary in found:
        groups.setdefault(frozenset(row.place for row in summary.rows), []).append(summary)
    return list(groups.values())


def _grid(group: list[Summary], table: Table) -> str:
    """The rows as the last metric ranks them, each with its mean and letters on every metric."""
    columns = [{row.place: row for row in summary.rows} for summary in group]
    lines = []
    for ranked in group[-1].rows:
        line = [named(ranked.label) + (f" {ONE_SEED}" if ranked.one_seed else "")]
        for summary, rows in zip(group, columns, strict=True):
            metric = _metric(table, summary.column)
            row = rows[ranked.place]
            line += [numbers.number(row.mean, numbers.decimals_of(metric, row.mean)), row.letters]
        lines.append(line)
    return grid(["", *(name for summary in group for name in (summary.column, ""))], lines)


def _metric(table: Table, column: str) -> Metric:
    place = table.head.index(column)
    cells: Iterable[Cell | None] = (row.cells[place] for row in table.rows)
    return next(cell.metric for cell in cells if cell is not None)
