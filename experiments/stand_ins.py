"""Which rows of a table were measured by a stand-in, and the signs that say which, on whatever page."""

from __future__ import annotations

import itertools

from experiments.measured import Shelf
from experiments.table import Row, Table

SIGNS = "*†‡§¶"  # then (6), (7), ...


def of_every_row(table: Table, shelf: Shelf) -> str:
    """The stand-in of every cell; "" where they differ, or are what was published."""
    texts = {shelf.stand_in(cell.experiment) for row in table.rows for cell in row.cells if cell}
    return texts.pop() if len(texts) == 1 else ""


def signs(table: Table, shelf: Shelf) -> dict[str, str]:
    """Each stand-in of a table with the sign of its rows, in order; nothing where every row has the same."""
    if of_every_row(table, shelf):
        return {}
    texts = dict.fromkeys(text for row in table.rows for text in _of(row, shelf))
    more = (f"({place})" for place in itertools.count(len(SIGNS) + 1))
    return dict(zip(texts, itertools.chain(SIGNS, more), strict=False))


def signs_of(row: Row, table: Table, shelf: Shelf) -> list[str]:
    """The signs that the label of a row bears."""
    of_texts = signs(table, shelf)
    return [of_texts[text] for text in dict.fromkeys(_of(row, shelf)) if text in of_texts]


def _of(row: Row, shelf: Shelf) -> list[str]:
    return [text for cell in row.cells if cell and (text := shelf.stand_in(cell.experiment))]
