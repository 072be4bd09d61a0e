"""What W&B is told of a paper, as plain data: a table of cells each, curves, and the text of its report."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from emoji_pred.run_tables import RowTable
from experiments import markdown, markup, pages, run_list
from experiments.markup import Links
from experiments.measured import RULE, Measured, Shelf
from experiments.profiles import lacking_of
from experiments.table import Cell, Paper, Row, Table

CELL_COLUMNS = [
    *("row", "column", "published", "measured", "low", "high", "interval over", "difference", "verdict"),
    *("runs", "seeds missing", "note"),
]
NO_FILES = Links(Path(os.sep, "a report at W&B"), Path(os.sep))  # no file of the checkout is linked there


@dataclass(frozen=True)
class Piece:
    """A piece of a report: a heading of a level, or Markdown."""

    kind: Literal["heading", "text"]
    text: str
    level: int = 2


def table_key(table: Table) -> str:
    """What a table is called at W&B, where a dot would part names: `tweeteval/4` of `tweeteval.4`."""
    return table.name.replace(".", "/")


def cells(table: Table, shelf: Shelf) -> RowTable:
    """Every cell of a table: published, measured, interval, verdict, runs; one line each."""
    return RowTable(
        list(CELL_COLUMNS),
        [
            _cell_line(row, column, cell, shelf)
            for row in table.rows
            for column, cell in zip(table.head, row.cells, strict=True)
            if cell
        ],
    )


def _cell_line(row: Row, column: str, cell: Cell, shelf: Shelf) -> list[Any]:
    found = shelf.measured(cell)
    low, high = found.interval or (None, None)
    return [
        *(row.label, column, cell.published, found.mean, low, high, found.interval_of, found.difference),
        str(found.verdict),
        " ".join(run.name for run in found.runs),
        " ".join(map(str, found.missing)),
        "; ".join(_notes(row, cell, found, shelf)),
    ]


def _notes(row: Row, cell: Cell, found: Measured, shelf: Shelf) -> list[str]:
    """What a reader must know of a cell: why it has no number, what took the place of what."""
    experiment = cell.experiment
    lacking = "" if shelf.overrides(experiment) else lacking_of(experiment, shelf.profile)
    return [text for text in (lacking, found.stand_in, row.note, *found.stale) if text]


def curves(paper: Paper, shelf: Shelf) -> RowTable:
    """Every epoch of every run of a paper: loss and metrics, as they were logged while it was trained."""
    found = run_list.runs_of([paper], shelf)
    names = list(dict.fromkeys(key for run in found for epoch in run.result["curves"] for key in epoch))
    rows = [
        [
            run.name,
            run.result["config"]["model"]["name"],
            run.seed,
            *(_finite(epoch.get(name)) for name in names),
        ]
        for run in found
        for epoch in run.result["curves"]
    ]
    return RowTable(["run", "model", "seed", *names], rows)


def _finite(value: Any) -> float | None:
    return None if value is None else float(value)


def counts(paper: Paper, shelf: Shelf) -> dict[str, int]:
    """How many cells of a paper have which verdict, as `cells/reproduced`."""
    found = Counter(
        str(shelf.measured(cell).verdict)
        for table in paper.tables
        for row in table.rows
        for cell in row.cells
        if cell
    )
    return {f"cells/{verdict}": count for verdict, count in sorted(found.items())}


def pieces(paper: Paper, shelf: Shelf) -> list[Piece]:
    """The report of a paper: citation, introduction, findings, rule, each table with its cells, own sections,
    runs and commands.
    """
    found = [
        Piece("text", f"{paper.citation}.\n\nPublished beside measured; written by code from kept runs."),
        *_texts(pages.introduction(paper.key, shelf)),
        *_findings(paper, shelf),
        Piece("heading", "How to read the tables"),
        Piece("text", RULE),
    ]
    for table in paper.tables:
        found += [Piece("heading", f"{table.title} ({table.name})"), Piece("text", table_text(table, shelf))]
    for title, text in map(pages.titled, pages.sections(paper.key, shelf)):
        found += [Piece("heading", title), *_texts(text)]
    runs = run_list.provenance(run_list.runs_of([paper], shelf), NO_FILES)
    return [*found, *_texts(runs), *_texts(run_list.commands([paper], shelf))]


def _texts(text: str) -> list[Piece]:
    """A text of the paper's page, whose links to places and files lead nowhere at W&B; none if empty."""
    return [Piece("text", markup.relinked(text, {}))] if text else []


def table_text(table: Table, shelf: Shelf) -> str:
    """A table as on its page, without the heading and its anchor."""
    whole = markdown.table(table, shelf)
    return whole.removeprefix(markup.heading(table.name, table.title)).strip()


def _findings(paper: Paper, shelf: Shelf) -> list[Piece]:
    found: list[Piece] = []
    for finding in paper.findings:
        text = finding.text(shelf)
        if text:
            evidence = f"\n\nEvidence: {', '.join(finding.tables)}." if finding.tables else ""
            found += [Piece("heading", finding.title, 3), Piece("text", text + evidence)]
    return [Piece("heading", "What the paper does not tell"), *found] if found else []
