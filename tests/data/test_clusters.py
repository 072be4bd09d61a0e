"""Clusters of labels: what a user writes, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emoji_pred.data.clusters import cluster_labels
from emoji_pred.data.corpus import Corpus, Split
from emoji_pred.errors import UserError


def corpus(task: Any = "multiclass") -> Corpus:
    labels = np.arange(5) if task == "multiclass" else np.eye(5, dtype=np.uint8)
    splits = {name: Split(list("abcde"), labels, list("01234")) for name in ("train", "validation")}
    return Corpus("invented", task, ("😂", "❤", "🔥", "🤣", "💚"), splits)


def test_clusters_are_numbered_by_their_first_class() -> None:
    clustered = cluster_labels(corpus(), [["💚", "❤"], ["🤣", "😂"]])
    assert clustered.clusters == (0, 1, 2, 0, 1)
    assert clustered.provenance["clusters"] == [["😂", "🤣"], ["❤", "💚"]]
    assert clustered.label_names == corpus().label_names
    assert corpus().clusters is None


def test_an_emoji_may_be_written_with_its_selector() -> None:
    assert cluster_labels(corpus(), [["❤\ufe0f", "💚"]]).clusters == (0, 1, 2, 3, 1)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([["😂", "🙃"]], "'🙃' is no label of data=invented"),
        ([["😂", "🤣"], ["🤣", "🔥"]], "label '🤣' stands twice"),
        ([["😂", "😂"]], "label '😂' stands twice"),
        ([["😂"]], "a group of one"),
        ([[]], "a group of one"),
        ([["😂", "❤", "🔥", "🤣", "💚"]], "all labels into one cluster"),
    ],
)
def test_groups_that_make_no_sense_are_refused(groups: list[list[str]], words: str) -> None:
    with pytest.raises(UserError, match=words):
        cluster_labels(corpus(), groups)


def test_several_labels_a_text_are_refused() -> None:
    with pytest.raises(UserError, match="one label per text"):
        cluster_labels(corpus("multilabel"), [["😂", "🤣"]])
