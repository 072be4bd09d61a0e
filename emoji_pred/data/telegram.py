"""Telegram-Rus: Russian comments and the emoji after them (Paturyla and Belopolskikh 2024)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from emoji_pred.data.corpus import Corpus, Split
from emoji_pred.data.sources import Source
from emoji_pred.data.splits import AsRead, DrawBy, draw, rows_shared_with
from emoji_pred.data.tables import Reading, Table
from emoji_pred.emoji_pairs import (
    ClassCounts,
    Counts,
    Rules,
    Units,
    keep_classes,
    pairs_of_run,
    tail,
    without_duplicates,
)
from emoji_pred.errors import UserError

CITATION = (
    "Paturyla and Belopolskikh 2024, Text2Emoji Classifier (October 2024); "
    "data: github.com/megnar/Text2EmojiRus"
)
TRAIN_FILE, THIRD_FILE = "final_train.csv", "final_inference.csv"
_READING = Reading(encoding="utf-8", format="csv")
_COLUMNS = ("text", "emoji")


@dataclass(frozen=True)
class _Row:
    """One pair, and the id that stays with it."""

    text: str
    emoji: str
    row_id: str


def load_telegram_rus(
    *,
    data_dir: Path,
    as_read: AsRead | None = None,
    source: Source | Mapping[str, Any],
    split: DrawBy = "by_row",
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1,
    split_seed: Annotated[int, Field(ge=0)] = 42,
) -> Corpus:
    """Load the authors' final table, 446,559 rows of 62 emoji; test is their third set, 20,863 raw rows.

    No row of the final table is changed or dropped. Classes stand in order of first appearance, as the
    authors numbered them. Split by row, with seed 42 and a tenth, the rows of each split are the authors':
    they called scikit-learn's `train_test_split(test_size=0.1, random_state=42)`, which draws from NumPy's
    frozen legacy generator as `random_split` does. The order of rows in their batches cannot be had again.
    The third set goes through `emoji_pairs` by the authors' rules; of its pairs those of the 62 emoji stay.

    Args:
        data_dir: the download cache.
        as_read: what a model reads of a text, for `by_text`; no option.
        source: the pinned files.
        split: `by_row`, or `by_text`: all rows of a text stand in one split.
        validation_fraction: share of the rows.
        split_seed: of the draw.

    Raises:
        UserError: a file cannot be had, or does not hold what its name says.
    """
    pins = Source.of(source)
    paths = pins.fetch((TRAIN_FILE, THIRD_FILE), data_dir)
    rows = [_Row(text, emoji, f"row/{place}") for place, text, emoji in _cells(paths[TRAIN_FILE], whole=True)]
    classes = tuple(dict.fromkeys(row.emoji for row in rows))
    counts, rules = Counts(), Rules.authors()
    third = list(_pairs(paths[THIRD_FILE], rules, counts, "test"))
    test = _rows_of_classes(third, classes, counts)
    if not test:
        raise UserError(f"{paths[THIRD_FILE]}: none of its emoji stands in {TRAIN_FILE}")
    shares = {"validation": validation_fraction}
    parts, drawn, warnings = _draw(rows, classes, split, shares, split_seed, as_read)
    distinct = len({(row.text, row.emoji) for row in rows})
    return _corpus(
        "telegram_rus",
        classes,
        {**parts, "test": test},
        {
            **_origin(pins),
            "split": drawn,
            "steps": {
                TRAIN_FILE: {"rows": len(rows), "classes": len(classes), "duplicates": len(rows) - distinct},
                THIRD_FILE: counts.as_dict(),
            },
        },
        warnings,
    )


def load_telegram_rus_small(
    *,
    data_dir: Path,
    as_read: AsRead | None = None,
    source: Source | Mapping[str, Any],
    split: DrawBy = "by_text",
    units: Units = "grapheme",
    fold_skin_tones: bool = True,
    classes: Annotated[int, Field(ge=2)] = 62,
    min_rows: Annotated[int, Field(ge=1)] = 1,
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1,
    test_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1,
    split_seed: Annotated[int, Field(ge=0)] = 42,
) -> Corpus:
    """Load the authors' third set alone, 20,863 raw rows, as a small corpus of its own.

    Its rows become pairs, duplicates go, the most frequent emoji are the classes, and splits are drawn.

    Args:
        data_dir: the download cache.
        as_read: what a model reads of a text, for `by_text`; no option.
        source: the pinned file.
        split: `by_text`: all rows of a text stand in one split; or `by_row`, as in the paper.
        units: what an emoji is; see `emoji_pairs.Rules`.
        fold_skin_tones: see `emoji_pairs.Rules`.
        classes: how many at most.
        min_rows: that a class needs.
        validation_fraction: share of the rows.
        test_fraction: likewise; 0 for no test split.
        split_seed: of the draw.

    Raises:
        UserError: the file cannot be had, or does not hold what its name says.
    """
    pins = Source.of(source)
    paths = pins.fetch((THIRD_FILE,), data_dir)
    counts, seen = Counts(), ClassCounts()
    rules = Rules(units=units, fold_skin_tones=fold_skin_tones)
    pairs = list(_pairs(paths[THIRD_FILE], rules, counts, "row"))
    seen.of.update(row.emoji for row in pairs)
    names = seen.choose(counts, min_rows, classes)
    if len(names) < 2:
        raise UserError(f"data.min_rows={min_rows} leaves {len(names)} of {len(seen.of)} emoji; lower it")
    rows = _rows_of_classes(pairs, names, counts)
    shares = {"validation": validation_fraction, "test": test_fraction}
    parts, drawn, warnings = _draw(rows, names, split, shares, split_seed, as_read)
    return _corpus(
        "telegram_rus_small",
        names,
        parts,
        {
            **_origin(pins),
            "split": drawn,
            "steps": {THIRD_FILE: counts.as_dict()},
            "tail": tail(seen.of, names),
        },
        warnings,
    )


def _cells(path: Path, *, whole: bool) -> Iterator[tuple[int, str, str]]:
    """Yield (place from 0, text, emoji) of a table.

    Args:
        path: the file.
        whole: refuse a row without text or emoji.
    """
    table: Table = _READING.table(path, _COLUMNS)
    texts, emoji = (table.column(name, f"a column of {path.name}") for name in _COLUMNS)
    for place, (text, sign) in enumerate(zip(texts, emoji, strict=True)):
        if whole and not (text.strip() and sign):
            raise UserError(
                f"{table.where(place)}: the text or the emoji is missing; the file is not the pinned one"
            )
        yield place, text, sign


def _pairs(path: Path, rules: Rules, counts: Counts, prefix: str) -> Iterator[_Row]:
    """The raw rows of a table as pairs without duplicates; an id names the row and the place in it."""
    ids: dict[tuple[str, str], str] = {}

    def made() -> Iterator[tuple[str, str]]:
        for place, text, run in _cells(path, whole=False):
            counts.messages += 1
            counts.with_emoji += bool(run)
            for number, pair in enumerate(pairs_of_run(text, run, rules, counts)):
                ids.setdefault(pair, f"{prefix}/{place}/{number}")
                yield pair

    for text, emoji in without_duplicates(made(), counts):
        yield _Row(text, emoji, ids[text, emoji])


def _rows_of_classes(rows: Sequence[_Row], classes: Sequence[str], counts: Counts) -> list[_Row]:
    counts.emoji, counts.classes = len({row.emoji for row in rows}), len(classes)
    kept = set(keep_classes(((row.text, row.emoji) for row in rows), classes, counts))
    return [row for row in rows if (row.text, row.emoji) in kept]


def _draw(
    rows: Sequence[_Row],
    classes: Sequence[str],
    by: DrawBy,
    fractions: Mapping[str, float],
    seed: int,
    as_read: AsRead | None,
) -> tuple[dict[str, list[_Row]], dict[str, Any], tuple[str, ...]]:
    """Draw the splits; returns their rows, what is to be known of the draw, and warnings."""
    place = {emoji: index for index, emoji in enumerate(classes)}
    labels = np.array([place[row.emoji] for row in rows], dtype=np.int64)
    texts = [row.text for row in rows]
    held_out = {name: share for name, share in fractions.items() if share}
    if sum(held_out.values()) >= 1:
        raise UserError("data.validation_fraction and data.test_fraction together leave no training rows")
    parts = draw(texts, labels, held_out, by, seed, as_read)
    empty = [name for name, chosen in parts.items() if not chosen.size]
    if empty:
        raise UserError(
            f"{len(rows)} rows are too few for a split {empty[0]}; raise data.{empty[0]}_fraction"
        )
    shared = {name: rows_shared_with(texts, parts["train"], parts[name]) for name in held_out}
    warnings = [
        f"{count} of {len(parts[name])} {name} rows have a text that stands in train too; "
        "data.split=by_text keeps the rows of a text together"
        for name, count in shared.items()
        if count and name != "test"  # of the test rows `prepare` tells
    ]
    drawn = {"by": by, "seed": seed, "fractions": dict(held_out), "rows_shared_with_train": shared}
    return (
        {name: [rows[row] for row in chosen.tolist()] for name, chosen in parts.items()},
        drawn,
        tuple(warnings),
    )


def _origin(pins: Source) -> dict[str, Any]:
    return {"citation": CITATION, **pins.as_provenance()}


def _corpus(
    name: str,
    classes: Sequence[str],
    parts: Mapping[str, Sequence[_Row]],
    provenance: Mapping[str, Any],
    warnings: tuple[str, ...],
) -> Corpus:
    place = {emoji: index for index, emoji in enumerate(classes)}
    splits = {
        split: Split(
            texts=[row.text for row in rows],
            labels=np.array([place[row.emoji] for row in rows], dtype=np.int64),
            row_ids=[row.row_id for row in rows],
        )
        for split, rows in parts.items()
    }
    rows = {split: len(part) for split, part in splits.items()}
    return Corpus(name, "multiclass", tuple(classes), splits, {**provenance, "rows": rows}, warnings)
