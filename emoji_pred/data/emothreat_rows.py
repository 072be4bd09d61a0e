"""Rows of EmoThreat's tables: columns by name, sentences that stand twice, labels of the test recovered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from emoji_pred.data.labels import Label
from emoji_pred.data.rows import Columns, RawRows, Row, usable_rows
from emoji_pred.data.tables import Reading, Table
from emoji_pred.errors import UserError
from emoji_pred.text import duplicate_key
from emoji_pred.urdu import normalise_urdu

Conflicts = Literal["last", "first", "union", "drop"]

NEUTRAL = "neutral"
EMOTIONS = ("anger", "disgust", "fear", "sadness", "surprise", "happiness")
LABELS = (*EMOTIONS, NEUTRAL)  # the columns of the official files, in their order
TEXT = "Sentences"
# Headers of Ashraf et al. 2022, in Urdu; and how either is written by hand.
_OTHER_NAMES = {
    **dict(zip(("غصہ", "نفرت", "خوف", "اداسی", "حیرت", "خوشی"), EMOTIONS, strict=True)),
    "sentences": TEXT, "sentence": TEXT,
}  # fmt: skip
MAX_TEXT_CHARS = 100_000
_SETTLED: dict[Conflicts, str] = {
    "last": "the last row's labels are taken",
    "first": "the first row's labels are taken",
    "union": "all their labels are taken",
    "drop": "they are left out",
}


@dataclass(frozen=True)
class Recovered:
    """The test rows with their labels, ids `test/<place>`.

    Attributes:
        tweets: rows of sentences that stand among the public tweets.
        reviews: the others, all neutral.
        disputed: test sentences whose tweets have different labels.
        dropped: those of them that are in neither, as `conflicts=drop` leaves them out.
    """

    tweets: list[Row]
    reviews: list[Row]
    disputed: int
    dropped: int

    @property
    def rows(self) -> list[Row]:
        """All of them, in the order of the test."""
        return sorted([*self.tweets, *self.reviews], key=lambda row: row.place)


@dataclass(frozen=True)
class Sentences:
    """The labelled sentences of a table, each once.

    Attributes:
        rows: by the sentence with its white space folded.
        disputed: sentences that stood with different labels, kept or left out.
        counts: of rows, sentences, repeats and conflicts.
        texts: how many differ in at least a character.
        labels: rows of each label where, of texts that are alike character by character, the last row counts.
    """

    rows: dict[str, Row]
    disputed: frozenset[str]
    counts: dict[str, int]
    texts: int
    labels: Counter[Label]


def folded(text: str) -> str:
    """The sentence under which rows are the same: white space at the ends goes, runs of it are one space."""
    return " ".join(text.split())


def read_labelled(
    name: str, path: Path, reading: Reading, labels: Sequence[str]
) -> tuple[list[Row], list[str]]:
    """Read a table of sentences and 0/1 columns, which stand in any order under their names.

    Args:
        name: that row ids begin with.
        path: the file.
        reading: how to read it.
        labels: the columns it must have; other columns are passed over.

    Returns:
        N rows, and one warning for each reason why others were left out.

    Raises:
        UserError: the file cannot be read, lacks a column, or holds something else than 0 and 1.
    """
    table = reading.table(path, None)
    columns = _columns(table, (TEXT, *labels))
    raw = RawRows(
        name=name,
        path=path,
        texts=table.columns[columns[TEXT]],
        labels=list(zip(*(table.columns[columns[label]] for label in labels), strict=True)),
        ids=None,
        splits=None,
        where=table.where,
    )
    named = Columns(TEXT, None, tuple(labels), None, None, None)
    return usable_rows([raw], named, "error", MAX_TEXT_CHARS, settable=False)


def read_sentences(path: Path, reading: Reading) -> list[str]:
    """Read the test sentences, which have no labels; quoted cells may hold line breaks and blank lines."""
    table = reading.table(path, None)
    texts: list[Any] = table.columns[_columns(table, (TEXT,))[TEXT]]
    return texts


def each_once(rows: Iterable[Row], conflicts: Conflicts) -> Sentences:
    """Leave each sentence once, and settle those that stand with different labels.

    Args:
        rows: N rows in the order of their files.
        conflicts: `last` and `first` take the labels of one row; `union` those of all; `drop` leaves the
            sentence out.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(folded(row.text), []).append(row)
    differ = {key for key, group in groups.items() if len({frozenset(row.labels) for row in group}) > 1}
    kept = {key: _settled(group, conflicts) for key, group in groups.items()
            if key not in differ or conflicts != "drop"}  # fmt: skip
    counts = {
        "rows": sum(map(len, groups.values())),
        "sentences": len(groups),
        "repeated_sentences": sum(len(group) > 1 for group in groups.values()),
        "sentences_with_different_labels": len(differ),
    }
    last = {row.text: row for group in groups.values() for row in group}
    of_label = Counter(label for row in last.values() for label in row.labels)
    return Sentences(kept, frozenset(differ), counts, len(last), of_label)


def disputed_spellings(rows: Iterable[Row]) -> int:
    """Count the texts that stand in several spellings (of letters, signs, spaces) with different labels.

    `conflicts` does not settle these: it compares sentences, of which only the white space is folded.
    """
    labels: dict[str, set[frozenset[Label]]] = {}
    for row in rows:
        labels.setdefault(duplicate_key(normalise_urdu(row.text)), set()).add(frozenset(row.labels))
    return sum(len(held) > 1 for held in labels.values())


def recover(sentences: Sequence[str], tweets: Sentences, source: Path) -> Recovered:
    """Give the test sentences their labels: those of the same tweet; the rest are reviews.

    Args:
        sentences: of the test, in its order.
        tweets: with labels.
        source: the file of the sentences, for messages.
    """
    raw = RawRows("test", source, list(sentences), [], None, None, lambda row: f"{source}, row {row + 1}")
    found: list[Row] = []
    reviews: list[Row] = []
    disputed = 0
    for place, text in enumerate(sentences):
        key = folded(text)
        tweet = tweets.rows.get(key)
        disputed += key in tweets.disputed
        if tweet is None and key in tweets.disputed:
            continue
        labels = (NEUTRAL,) if tweet is None else tweet.labels
        row = Row(text, labels, f"test/{place}", "test", place, raw)
        (reviews if tweet is None else found).append(row)
    return Recovered(found, reviews, disputed, len(sentences) - len(found) - len(reviews))


def repeat_warnings(what: str, counts: Mapping[str, int], conflicts: Conflicts) -> list[str]:
    """Say how many rows of a table were left out because their sentence stands in another, and of conflicts.

    Args:
        what: the table, as `the training file`.
        counts: of its `Sentences`.
        conflicts: how different labels were settled.
    """
    repeats, differ = counts["rows"] - counts["sentences"], counts["sentences_with_different_labels"]
    lines = [f"{repeats} of {counts['rows']} rows of {what} repeat a sentence, which counts once"]
    if differ:
        lines.append(
            f"{differ} sentences of {what} stand twice with different labels: {_SETTLED[conflicts]} "
            "(data.conflicts)"
        )
    return lines if repeats else []


def test_label_warnings(test: Recovered, conflicts: Conflicts) -> list[str]:
    """Say how many test sentences have different labels among the tweets."""
    if not test.disputed:
        return []
    return [
        f"{test.disputed} test sentences have different labels among the tweets: {_SETTLED[conflicts]} "
        "(data.conflicts)"
    ]


def _settled(group: Sequence[Row], conflicts: Conflicts) -> Row:
    if conflicts == "union":
        held = {label for row in group for label in row.labels}
        return replace(group[0], labels=tuple(label for label in LABELS if label in held))
    return group[-1] if conflicts == "last" else group[0]


def _columns(table: Table, wanted: Sequence[str]) -> dict[str, str]:
    """Return how each wanted column is called in the table.

    Raises:
        UserError: one is missing or stands twice.
    """
    of: dict[str, str] = {}
    for name in table.names:
        plain = name.strip().casefold()
        known = _OTHER_NAMES.get(plain, plain)
        if known in of and known in wanted:
            raise UserError(f"{table.path}: columns {of[known]!r} and {name!r} are both {known!r}; keep one")
        of[known] = name
    missing = [name for name in wanted if name not in of]
    if missing:
        found = ", ".join(name or "(no name)" for name in table.names[:20])
        raise UserError(
            f"{table.path}: no column {', '.join(missing)}; expected {', '.join(wanted)}, in any order; "
            f"found {found[:300]}{table.note}"
        )
    return of
