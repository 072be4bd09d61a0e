"""EmoThreat: Urdu tweets with any of six emotions, and neutral film reviews (FIRE 2022, task A)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from emoji_pred.data.corpus import Corpus, Split
from emoji_pred.data.emothreat_files import (
    OwnFiles,
    Sources,
    official_training,
    origins,
    own_file,
    sources_of,
    tweets_and_test,
)
from emoji_pred.data.emothreat_rows import (
    EMOTIONS,
    LABELS,
    NEUTRAL,
    Conflicts,
    Recovered,
    disputed_spellings,
    each_once,
    folded,
    read_labelled,
    repeat_warnings,
    test_label_warnings,
)
from emoji_pred.data.labels import encode
from emoji_pred.data.rows import Row
from emoji_pred.data.splits import AsRead, draw
from emoji_pred.data.tables import Reading
from emoji_pred.errors import UserError
from emoji_pred.text import duplicate_key
from emoji_pred.urdu import normalise_urdu

CITATION = (
    "Butt et al. 2022, EmoThreat@FIRE2022: Shared Track on Emotions and Threat Detection in Urdu; tweets: "
    "Ashraf et al. 2022, Multi-label emotion classification of Urdu tweets, PeerJ Computer Science 8:e896"
)
# Kalra et al. 2022, Table 1: labels of the 7,800 official training rows.
PAPER_COUNTS = dict(zip(LABELS, (811, 761, 609, 2190, 1550, 1046, 3014), strict=True))


def load_emothreat(
    *,
    data_dir: Path,
    as_read: AsRead | None = None,
    source: Sources | Mapping[str, Any],
    files: OwnFiles | Mapping[str, Any] | None = None,
    sheet: str | None = None,
    neutral: bool = True,
    conflicts: Conflicts = "last",
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1,
    split_seed: Annotated[int, Field(ge=0)] = 42,
) -> Corpus:
    """Load the official split, 7,800 training and 1,950 test rows; validation is drawn from training.

    The test labels, never published, are recovered: with white space folded, 1,197 of the test sentences
    stand among the public tweets, with their labels; the other 753 are film reviews, which are all neutral.
    How good that is: the 6,043 tweets, of rows that are exactly alike the last, are 5,983, as many as the
    official rows with an emotion. Less the recovered labels of the test they have the counts of the paper's
    Table 1 but for one row of fear and one of surprise; `conflicts=last`, the default, follows from this.

    Training and test stay as the organisers divided them, also where a cut or one spelling makes two of their
    texts the same: `data.drop_test_duplicates` takes such test rows out.

    Args:
        data_dir: the download cache.
        as_read: what a model reads of a text, where that makes texts the same for the draw; no option.
        source: the pinned files.
        files: the organisers' files instead: .xlsx or .csv, columns found by their names.
        sheet: of a workbook; None: the first.
        neutral: False leaves out the reviews, and with them the class.
        conflicts: which labels a sentence has that stands twice with different ones.
        validation_fraction: share of the training texts, stratified by their labels; copies of a text stay
            together.
        split_seed: of the draw.

    Raises:
        UserError: a file cannot be had, or does not hold what its name says.
    """
    pins, own = sources_of(source), OwnFiles.model_validate(dict(files or {}))
    reading = Reading(encoding="utf-8", sheet=sheet)
    train_path = own_file(own.train, "train", data_dir) or official_training(pins.official, data_dir)
    rows, warnings = read_labelled("train", train_path, reading, LABELS)
    train = each_once(rows, conflicts)
    warnings += repeat_warnings("the training file", train.counts, conflicts)
    of_label = {label: sum(label in row.labels for row in rows) for label in LABELS}
    provenance: dict[str, Any] = {
        "sources": origins(pins, own, data_dir),
        "train": train.counts,
        "training_labels": of_label,
        "training_labels_total": sum(of_label.values()),
    }
    test_path = own_file(own.test, "test", data_dir)
    if test_path is not None:
        test, more = read_labelled("test", test_path, reading, LABELS)
        warnings += more
    else:
        tweets, recovered = tweets_and_test(pins, data_dir, conflicts)
        test = recovered.rows
        provenance |= {"tweets": tweets.counts, "recovered_test": _counts_of(recovered)}
        warnings += test_label_warnings(recovered, conflicts)
    return _corpus(
        "emothreat",
        list(train.rows.values()),
        test,
        neutral,
        _Draw(validation_fraction, split_seed, as_read),
        {**provenance, "conflicts": conflicts, "paper_training_labels": PAPER_COUNTS},
        warnings,
    )


def load_emothreat_public(
    *,
    data_dir: Path,
    as_read: AsRead | None = None,
    source: Sources | Mapping[str, Any],
    neutral: bool = True,
    conflicts: Conflicts = "last",
    neutral_test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2,
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1,
    split_seed: Annotated[int, Field(ge=0)] = 42,
) -> Corpus:
    """Load what public files alone give: not the official split, and named so in the provenance.

    Training are the public tweets less the test sentences, and part of the 753 reviews of the test; test are
    the official test's tweets, labels recovered as in `load_emothreat`, and the other reviews. The official
    training file's 3,014 reviews are missing. A fifth of the tweets are test, so a fifth of the reviews is
    the default too: then reviews are as frequent in training as in test. Training rows that a model reads as
    it reads a test row are left out.

    Args:
        data_dir: the download cache.
        as_read: see `load_emothreat`.
        source: the pinned files.
        neutral: see `load_emothreat`; False leaves out all reviews.
        conflicts: see `load_emothreat`.
        neutral_test_fraction: share of the reviews that stay in the test, drawn with `split_seed`.
        validation_fraction: see `load_emothreat`.
        split_seed: of both draws.

    Raises:
        UserError: a file cannot be had, or does not hold what its name says.
    """
    pins = sources_of(source)
    tweets, test = tweets_and_test(pins, data_dir, conflicts)
    draws = _Draw(validation_fraction, split_seed, as_read)
    one_class = np.zeros(len(test.reviews), dtype=np.int64)
    parts = draws.of(test.reviews, one_class, {"test": neutral_test_fraction})
    train_reviews, test_reviews = (
        [test.reviews[row] for row in parts[name].tolist()] for name in ("train", "test")
    )
    if not neutral:
        train_reviews, test_reviews = [], []
    sentences = {folded(row.text) for row in test.rows}
    left = [row for sentence, row in tweets.rows.items() if sentence not in sentences]
    test_rows = sorted([*test.tweets, *test_reviews], key=lambda row: row.place)
    tested = {duplicate_key(draws.spelt(row)) for row in test_rows}
    train, train_reviews = (
        [row for row in rows if duplicate_key(draws.spelt(row)) not in tested]
        for rows in (left, train_reviews)
    )
    counts = {label: sum(label in row.labels for row in left) for label in EMOTIONS}
    recovered = _counts_of(test)
    warnings = repeat_warnings("the tweets", tweets.counts, conflicts) + test_label_warnings(test, conflicts)
    provenance = {
        "variant": "not the official split: made without its training file; the reviews of the official "
        "test are divided between training and test",
        "sources": origins(pins),
        "tweets": tweets.counts,
        "conflicts": conflicts,
        "recovered_test": recovered,
        "reviews": {"train": len(train_reviews), "test": len(test_reviews)} if neutral else None,
        "tweets_left": {"rows": len(left), "labels": counts, "copies_of_test_texts": len(left) - len(train)},
        # What the official training file likely holds of them: see load_emothreat.
        "tweets_less_test": {
            "rows": tweets.texts - len(test.tweets),
            "labels": {label: tweets.labels[label] - recovered["labels"][label] for label in EMOTIONS},
        },
        "paper_training_labels": PAPER_COUNTS,
    }
    return _corpus(
        "emothreat_public",
        [*train, *train_reviews],
        test_rows,
        neutral,
        draws,
        provenance,
        warnings,
    )


@dataclass(frozen=True)
class _Draw:
    """How splits are drawn: by texts, stratified by their labels.

    Attributes:
        validation: share of the training texts.
        seed: of the draw.
        as_read: what a model reads of a text; None: the text as it is.
    """

    validation: float
    seed: int
    as_read: AsRead | None

    def spelt(self, row: Row) -> str:
        """What copies of a text have in common, so that none in another spelling stands on another side."""
        return normalise_urdu(row.text if self.as_read is None else self.as_read(row.text))

    def of(
        self, rows: Sequence[Row], labels: np.ndarray, held_out: Mapping[str, float]
    ) -> dict[str, np.ndarray]:
        """Positions of N rows by split; "train" gets what the shares of `held_out` leave."""
        return draw([self.spelt(row) for row in rows], labels, held_out, "by_text", self.seed)


def _counts_of(test: Recovered) -> dict[str, Any]:
    """How the test labels were found, to be shown beside a result."""
    return {
        "found_among_tweets": len(test.tweets),
        "neutral_reviews": len(test.reviews),
        "disputed": test.disputed,
        "dropped": test.dropped,
        "labels": {label: sum(label in row.labels for row in test.rows) for label in LABELS},
    }


def _corpus(
    name: str,
    train: Sequence[Row],
    test: Sequence[Row],
    neutral: bool,
    draws: _Draw,
    provenance: Mapping[str, Any],
    warnings: Sequence[str],
) -> Corpus:
    """Leave out the reviews where asked, draw validation from training, and count."""
    labels = LABELS if neutral else EMOTIONS
    if not neutral:
        train, test = ([row for row in rows if NEUTRAL not in row.labels] for rows in (train, test))
    disputed = disputed_spellings([*train, *test])
    spellings = (
        f"{disputed} texts stand in several spellings with different labels, which data.conflicts leaves as "
        "they are: it compares sentences letter by letter"
    )
    hot = encode([row.labels for row in train], labels, "multilabel")
    held_out = {"validation": draws.validation}
    parts = draws.of(train, hot, held_out) if train else {}
    splits = {
        split: _split([train[row] for row in chosen.tolist()], labels) for split, chosen in parts.items()
    }
    splits["test"] = _split(test, labels)
    for split, rows in splits.items():
        if not len(rows):
            raise UserError(
                f"data {name}: no row is left for {split}; data.validation_fraction or data.files"
            )
    without = {split: int((rows.labels.sum(axis=1) == 0).sum()) for split, rows in splits.items()}
    return Corpus(
        name=name,
        task="multilabel",
        label_names=labels,
        splits=splits,
        provenance={
            "citation": CITATION,
            **provenance,
            "neutral": neutral,
            "split": {"by": "by_text", "seed": draws.seed, "fractions": held_out},
            "disputed_spellings": disputed,
            "rows": {split: len(rows) for split, rows in splits.items()},
            "rows_without_label": without,
        },
        warnings=(*warnings, *([spellings] if disputed else [])),
    )


def _split(rows: Sequence[Row], labels: Sequence[str]) -> Split:
    return Split(
        texts=[row.text for row in rows],
        labels=encode([row.labels for row in rows], labels, "multilabel"),
        row_ids=[row.row_id for row in rows],
    )
