"""The ceiling, counted by hand and by trying every ranking."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from emoji_pred.data.ceiling import ceiling, ceilings
from emoji_pred.data.corpus import Corpus, Split


def test_by_hand() -> None:
    # "a": label 0 twice, 1 once, 2 once; "b": label 1 once; "c": labels 0 and 1 once each.
    texts = ["a", "a", "a", "a", "b", "c", "c"]
    labels = np.array([0, 0, 1, 2, 1, 0, 1])
    assert ceiling(texts, labels) == {"top_1": 4 / 7, "top_3": 1.0, "top_5": 1.0, "top_10": 1.0}


def test_twelve_labels_of_one_text() -> None:
    assert ceiling(["a"] * 12, np.arange(12)) == {
        "top_1": 1 / 12, "top_3": 3 / 12, "top_5": 5 / 12, "top_10": 10 / 12,
    }  # fmt: skip


def test_no_ranking_of_any_model_is_better() -> None:
    """Every deterministic model on small data: all rankings of 4 classes for each of 2 texts."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        texts = ["ab"[i] for i in rng.integers(0, 2, size=9)]
        labels = rng.integers(0, 4, size=9)
        best = dict.fromkeys((1, 3), 0)
        for for_a, for_b in itertools.product(itertools.permutations(range(4)), repeat=2):
            ranking = {"a": for_a, "b": for_b}
            for k in best:
                hits = sum(
                    label in ranking[text][:k] for text, label in zip(texts, labels.tolist(), strict=True)
                )
                best[k] = max(best[k], hits)
        found = ceiling(texts, labels)
        assert {k: found[f"top_{k}"] * 9 for k in best} == pytest.approx(best)


def corpus(task: str, labels: np.ndarray) -> Corpus:
    splits = {name: Split(["a", "a"], labels, ["0", "1"]) for name in ("train", "validation")}
    return Corpus("invented", task, ("x", "y"), splits)  # type: ignore[arg-type]


def test_each_split_of_one_label_per_text() -> None:
    found = ceilings(corpus("multiclass", np.array([0, 1])))
    assert found is not None
    assert {name: value["top_1"] for name, value in found.items()} == {"train": 0.5, "validation": 0.5}
    assert ceilings(corpus("multilabel", np.eye(2, dtype=np.uint8))) is None
