from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emoji_pred.data.corpus import Corpus, Split
from emoji_pred.errors import UserError


def split(labels: list, dtype: type = np.int64) -> Split:
    rows = range(len(labels))
    return Split([f"text {row}" for row in rows], np.array(labels, dtype=dtype), [f"r/{row}" for row in rows])


def corpus(**changes: Any) -> Corpus:
    parts = {
        "name": "toy",
        "task": "multiclass",
        "label_names": ("❤", "😂", "🔥"),
        "splits": {"train": split([0, 0, 1, 2]), "validation": split([0, 1])},
    }
    return Corpus(**(parts | changes))


def test_counts_are_of_the_asked_split_and_include_absent_classes() -> None:
    toy = corpus()
    assert toy.num_classes == 3
    assert toy.class_counts().tolist() == [2, 1, 1]
    assert toy.class_counts("validation").tolist() == [1, 1, 0]
    assert toy.class_counts().dtype == np.int64


def test_counts_of_several_labels_add_up_columns() -> None:
    many = {
        "train": split([[1, 1, 0], [0, 1, 0]], np.uint8),
        "validation": split([[0, 0, 1]], np.uint8),
    }
    assert corpus(task="multilabel", splits=many).class_counts().tolist() == [1, 2, 0]


def test_take_keeps_texts_labels_and_ids_together() -> None:
    part = split([0, 1, 2]).take(np.array([2, 0]))
    assert (part.texts, part.labels.tolist(), part.row_ids) == (["text 2", "text 0"], [2, 0], ["r/2", "r/0"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"splits": {"train": split([0, 3]), "validation": split([0])}}, ["train", "r/1", "3", "outside"]),
        ({"splits": {"train": split([0, -1]), "validation": split([0])}}, ["train", "r/1", "-1"]),
        ({"splits": {"train": split([0]), "validation": split([])}}, ["validation", "empty"]),
        ({"splits": {"train": split([0])}}, ["validation", "missing"]),
        ({"splits": {"train": split([0]), "validation": split([0]), "dev": split([0])}}, ["dev"]),
        ({"splits": {"train": split([0], np.int32), "validation": split([0])}}, ["train", "int64", "int32"]),
        ({"label_names": ("❤",)}, ["1 class"]),
        ({"label_names": ("❤", "❤", "🔥")}, ["twice", "❤"]),
        ({"task": "ranking"}, ["ranking", "multilabel"]),
        (
            {
                "task": "multilabel",
                "splits": {"train": split([[1, 0, 2]], np.uint8), "validation": split([[0, 0, 1]], np.uint8)},
            },
            ["train", "r/0", "0 or 1"],
        ),
        (
            {
                "task": "multilabel",
                "splits": {"train": split([[1, 0]], np.uint8), "validation": split([[0, 1]], np.uint8)},
            },
            ["(N, 3)", "(1, 2)"],
        ),
    ],
)
def test_a_corpus_that_cannot_be_right_names_split_and_row(changes: dict, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        corpus(**changes)
    assert all(word in str(error.value) for word in ["toy", *words]), error.value


def test_lengths_that_disagree_and_repeated_ids_are_refused() -> None:
    labels = np.array([0, 1])
    short = Split(["a", "b"], labels[:1], ["0", "1"])
    with pytest.raises(UserError, match="2 texts, 1 labels and 2 row ids"):
        corpus(splits={"train": short, "validation": split([0])})
    twice = Split(["a", "b"], labels, ["same", "same"])
    with pytest.raises(UserError, match="'same' stands twice"):
        corpus(splits={"train": twice, "validation": split([0])})
