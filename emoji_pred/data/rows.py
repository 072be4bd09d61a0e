"""Rows of user files: the text, labels, row id and split of each, or one clear line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoji_pred.data.labels import Label, parse_label, parse_labels, parse_multi_hot
from emoji_pred.data.tables import Reading
from emoji_pred.errors import UserError
from emoji_pred.runs import without_places

_SPLIT_WORDS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation",
                "val": "validation", "dev": "validation", "test": "test"}  # fmt: skip
_NO_TEXT = "the text is empty"
_NO_LABEL = "the label is missing"
_EMPTY_CELL = (
    "row(s) without any label: their label cell is empty; data.on_missing_label=drop leaves them out"
)
DAMAGED = re.compile("[\\0\\ud800-\\udfff]")


@dataclass(frozen=True)
class Columns:
    """Which columns hold what; exactly one of `label` and `multi_hot` is set."""

    text: str
    label: str | None
    multi_hot: tuple[str, ...] | None
    separator: str | None
    row_id: str | None
    split: str | None

    def wanted(self) -> list[str]:
        """Return the names of all columns that are read."""
        names = (self.text, self.label, *(self.multi_hot or ()), self.row_id, self.split)
        return [name for name in names if name is not None]


@dataclass(frozen=True)
class RawRows:
    """The rows of one file before any is checked, and how to name one of them in an error."""

    name: str
    path: Path
    texts: list[Any]
    labels: list[Any]
    ids: list[Any] | None
    splits: list[Any] | None
    where: Callable[[int], str]


@dataclass(frozen=True)
class Row:
    """One usable row: its text, its labels, and where it came from."""

    text: str
    labels: tuple[Label, ...]
    row_id: str
    split: str
    place: int
    source: RawRows

    def where(self) -> str:
        """Name the file and the row."""
        return self.source.where(self.place)


def read_pair(name: str, text_path: Path, label_path: Path, reading: Reading) -> RawRows:
    """Read one file of texts and one of labels, line by line.

    Raises:
        UserError: they have not as many lines.
    """
    texts, labels = reading.lines(text_path), reading.lines(label_path)
    if len(texts) != len(labels):
        raise UserError(
            f"{text_path} has {len(texts)} lines, but {label_path} has {len(labels)}; they must be as many"
        )
    where = f"{text_path} (labels: {label_path.name})"
    return RawRows(name, text_path, texts, labels, None, None, lambda row: f"{where}, row {row + 1}")


def read_table(name: str, path: Path, columns: Columns, reading: Reading) -> RawRows:
    """Read the wanted columns of one file.

    Raises:
        UserError: the file cannot be read, or a column is missing.
    """
    table = reading.table(path, columns.wanted())
    if columns.multi_hot is None:
        labels = table.column(columns.label or "label", "data.label_column")
    else:
        hot = [table.column(label, "data.label_columns") for label in columns.multi_hot]
        labels = list(zip(*hot, strict=True))
    return RawRows(
        name=name,
        path=path,
        texts=table.column(columns.text, "data.text_column"),
        labels=labels,
        ids=table.column(columns.row_id, "data.id_column") if columns.row_id else None,
        splits=table.column(columns.split, "data.split_column") if columns.split else None,
        where=table.where,
    )


def usable_rows(
    sources: Sequence[RawRows],
    columns: Columns,
    on_missing_label: str,
    max_text_chars: int,
    settable: bool = True,
) -> tuple[list[Row], list[str]]:
    """Return the rows that can be used, and one warning for each reason to drop others or to look at them.

    Where a separator stands between labels, an empty cell lists none: it is a row without any label, as `[]`
    is. It may as well be a cell that someone forgot, so such rows are counted in a warning.

    Args:
        sources: the rows as they were read.
        columns: which column holds what.
        on_missing_label: `error` or `drop`; `drop` leaves out what may be missing, empty cells too.
        max_text_chars: a longer text is refused.
        settable: the dataset has the options `data.on_missing_label` and `data.max_text_chars`, so that an
            error may advise them.

    Raises:
        UserError: a row is malformed, a label is missing and must not be, or no row is left.
    """
    rows: list[Row] = []
    dropped: dict[str, list[str]] = {_NO_TEXT: [], _NO_LABEL: []}
    unlabelled: list[Row] = []
    for source in sources:
        ids = _row_ids(source)
        for place, text in enumerate(source.texts):
            if not _check_text(text, source.where, place, max_text_chars, settable):
                dropped[_NO_TEXT].append(source.where(place))
                continue
            labels = _parse_cell(source.labels[place], columns, place, source.where)
            if labels is not None:
                rows.append(Row(text, labels, ids[place], _split_of(source, place), place, source))
                continue
            if on_missing_label == "drop":
                dropped[_NO_LABEL].append(source.where(place))
            elif columns.separator is not None:
                rows.append(Row(text, (), ids[place], _split_of(source, place), place, source))
                unlabelled.append(rows[-1])
            else:
                raise UserError(f"{source.where(place)}: {_NO_LABEL}; {_mended(columns, settable)}")
    if not rows:
        raise UserError(f"{sources[0].path}: no row has both a text and a label")
    _refuse_empty_columns(rows, unlabelled)
    # By the name of its file: results and audits keep warnings, and no place of the machine.
    paths = {source.path for source in sources}
    warnings = [
        f"{len(at)} row(s) dropped: {why} (the first: {without_places(at[0], *paths)})"
        for why, at in dropped.items()
        if at
    ]
    if unlabelled:
        first = without_places(unlabelled[0].where(), *paths)
        warnings.append(f"{len(unlabelled)} of {len(rows)} {_EMPTY_CELL} (the first: {first})")
    return rows, warnings


def _mended(columns: Columns, settable: bool) -> str:
    """What can be done about a label that is missing."""
    if not settable:
        return "fill it in, or remove the row"
    advice = "fill it in, or leave such rows out with data.on_missing_label=drop"
    if columns.multi_hot is not None:
        return f"{advice}; a label that a text does not have is a 0"
    return (
        f"{advice}; where a text may have several labels or none, write lists, [] for none, or set "
        "data.label_separator, with which an empty cell is none"
    )


def _refuse_empty_columns(rows: Sequence[Row], unlabelled: Sequence[Row]) -> None:
    """Refuse a split whose label cells are all empty: nobody means that, and its figures would be void.

    Raises:
        UserError: there is one.
    """
    left = Counter(row.split for row in rows)
    left.subtract(row.split for row in unlabelled)
    for row in unlabelled:
        if not left[row.split]:
            raise UserError(
                f"{row.source.path}: the label cell of every {row.split} row is empty; fill in the labels, "
                "or take these rows out"
            )


def _check_text(
    text: Any, where: Callable[[int], str], place: int, max_text_chars: int, settable: bool
) -> bool:
    """Say whether there is a text; refuse one that cannot be a short text."""
    if text is None or text != text:  # not equal to itself: NaN, as Parquet writes a missing text
        return False
    if not isinstance(text, str):
        raise UserError(f"{where(place)}: the text is {type(text).__name__} {text!r:.40}, not a string")
    if len(text) > max_text_chars:
        limit, mend = f"{max_text_chars}", "cut it"
        if settable:
            limit, mend = f"data.max_text_chars={max_text_chars}", "raise that, or cut the text"
        raise UserError(f"{where(place)}: the text has {len(text)} characters, more than {limit}; {mend}")
    if DAMAGED.search(text):
        raise UserError(f"{where(place)}: the text holds a NUL or half a surrogate pair; the file is damaged")
    return bool(text.strip())


def _parse_cell(
    cell: Any, columns: Columns, place: int, where: Callable[[int], str]
) -> tuple[Label, ...] | None:
    if columns.multi_hot is not None:
        return parse_multi_hot(cell, columns.multi_hot, place, where)
    if columns.separator is not None or isinstance(cell, (list, tuple)):
        return parse_labels(cell, columns.separator, place, where)
    label = parse_label(cell, place, where)
    return None if label is None else (label,)


def _row_ids(source: RawRows) -> list[str]:
    if source.ids is None:
        prefix = "row" if source.splits is not None else source.name
        return [f"{prefix}/{place}" for place in range(len(source.texts))]
    seen: dict[str, int] = {}
    for place, value in enumerate(source.ids):
        written = "" if value is None else str(value).strip()
        if not written:
            raise UserError(f"{source.where(place)}: the row id (data.id_column) is empty")
        if written in seen:
            raise UserError(
                f"{source.where(place)}: row id {written!r} stands in row {seen[written] + 1} too"
            )
        seen[written] = place
    return list(seen)


def _split_of(source: RawRows, place: int) -> str:
    if source.splits is None:
        return source.name
    written = source.splits[place]
    split = _SPLIT_WORDS.get(str(written).strip().lower())
    if split is None:
        raise UserError(f"{source.where(place)}: split {written!r} is not train, validation or test")
    return split
