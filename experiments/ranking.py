"""Letters that say which rows of a table are not told apart, and the rows that could not be compared."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.significance import NO_ANSWERS, OTHER_ROWS, Comparison, Side, compare, sides
from experiments.table import Table

if TYPE_CHECKING:
    from experiments.measured import Shelf


@dataclass(frozen=True)
class Ranked:
    """A row of a summary.

    Attributes:
        place: in the table, from 0.
        label: its label.
        mean: the metric, scaled.
        letters: two rows that share a letter are not told apart.
        one_seed: whether it is random and has one run.
    """

    place: int
    label: str
    mean: float
    letters: str
    one_seed: bool


@dataclass(frozen=True)
class Summary:
    """The rows that can be compared on one metric, the best first.

    Attributes:
        column: the metric's heading.
        rows: the best first.
        groups: labels of rows not told apart, as the bars of a critical-difference diagram; the letter `a` is
            the first of them.
    """

    column: str
    rows: tuple[Ranked, ...]
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class LeftOut:
    """Measured rows that are ranked beside no others on a metric.

    Attributes:
        column: the metric's heading.
        labels: of the rows, in the table's order.
        reason: why they cannot be compared.
    """

    column: str
    labels: tuple[str, ...]
    reason: str


def summary(table: Table, shelf: Shelf) -> list[Summary]:
    """For each column, and each set of rows that can be compared, which of them are told apart.

    Letters are given as in Piepho 2004 ("An algorithm for a letter-based representation of all-pairwise
    comparisons"): rows that share one are not told apart; rows that share none are.
    """
    return list(_summaries(table, shelf))


@functools.lru_cache(maxsize=256)
def _summaries(table: Table, shelf: Shelf) -> tuple[Summary, ...]:
    pairs = compare(table, shelf)
    found = []
    for place, column in enumerate(table.head):
        for group in sides(table, place, shelf):
            for rows in dict.fromkeys(side.rows for side in group if side.rows):
                ranked = _in_order([side for side in group if side.rows == rows])
                if len(ranked) > 1:
                    found.append(_summary(column, ranked, pairs))
    return tuple(found)


def left_out(table: Table, shelf: Shelf, fewest: int = 2) -> list[LeftOut]:
    """The measured rows that no summary holds, of each column that has one.

    Args:
        table: whose rows.
        shelf: the runs.
        fewest: rows of the summaries that are shown.
    """
    shown = [one for one in summary(table, shelf) if len(one.rows) >= fewest]
    found = []
    for place, column in enumerate(table.head):
        ranked = {row.place for one in shown if one.column == column for row in one.rows}
        every = [side for group in sides(table, place, shelf) for side in group]
        others = [side for side in every if side.place not in ranked] if ranked else []
        for reason, is_why in ((NO_ANSWERS, True), (OTHER_ROWS, False)):
            labels = tuple(side.label for side in others if (side.drawn is None) is is_why)
            found += [LeftOut(column, labels, reason)] if labels else []
    return found


def _in_order(sides: Sequence[Side]) -> list[Side]:
    """The best first."""
    falling = -1 if sides[0].measured.cell.metric.higher_is_better else 1
    return sorted(sides, key=lambda side: falling * (side.measured.mean or 0.0))


def _summary(column: str, ranked: Sequence[Side], pairs: Sequence[Comparison]) -> Summary:
    order = [side.place for side in ranked]
    apart = [
        pair.places
        for pair in pairs
        if pair.column == column and pair.differs and set(pair.places) <= set(order)
    ]
    groups = _groups(order, apart)
    rows = tuple(
        Ranked(
            side.place,
            side.label,
            float(np.mean(side.measured.values)),
            "".join(letter(index) for index, group in enumerate(groups) if side.place in group),
            side.one_seed,
        )
        for side in ranked
    )
    labels = {side.place: side.label for side in ranked}
    return Summary(
        column, rows, tuple(tuple(labels[place] for place in order if place in group) for group in groups)
    )


def _groups(order: Sequence[int], apart: Sequence[tuple[int, int]]) -> list[frozenset[int]]:
    """The largest sets without two that are told apart, by Piepho's insert and absorb; the best first."""
    groups = {frozenset(order)}
    for first, second in apart:
        split = [group for group in groups if first in group and second in group]
        halves = {group - {one} for group in split for one in (first, second)}
        merged = (groups - set(split)) | halves
        groups = {group for group in merged if not any(group < other for other in merged)}
    return sorted(groups, key=lambda group: sorted(order.index(place) for place in group))


def letter(index: int) -> str:
    """a, b, ..., z, then a1, b1, ..."""
    return chr(ord("a") + index % 26) + (str(index // 26) if index >= 26 else "")
