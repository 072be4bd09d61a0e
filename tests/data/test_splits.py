from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from emoji_pred.data.prepare import load_corpus
from emoji_pred.data.splits import rows_shared_with, stratified_split, stratified_split_by_text
from emoji_pred.errors import UserError

SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}


def test_each_class_has_its_share_of_each_split() -> None:
    labels = np.repeat([0, 1, 2], [1000, 100, 10])
    parts = stratified_split(labels, SHARES, seed=3)
    counts = {name: np.bincount(labels[rows], minlength=3).tolist() for name, rows in parts.items()}
    assert counts == {"train": [700, 70, 7], "validation": [100, 10, 1], "test": [200, 20, 2]}


def test_every_row_is_given_out_once_in_ascending_order() -> None:
    labels = np.random.default_rng(0).integers(0, 9, size=777)
    parts = stratified_split(labels, SHARES, seed=0)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(777))
    assert all((np.diff(rows) > 0).all() for rows in parts.values())
    assert len(parts["test"]) == pytest.approx(777 * 0.2, abs=9)


def test_the_seed_decides() -> None:
    labels = np.arange(100) % 4
    first, again, other = (stratified_split(labels, SHARES, seed) for seed in (1, 1, 2))
    assert first["test"].tolist() == again["test"].tolist() != other["test"].tolist()


def test_a_class_of_one_row_is_for_training() -> None:
    labels = np.array([0] * 30 + [1])
    for seed in range(20):
        assert 30 in stratified_split(labels, SHARES, seed)["train"]


def test_several_labels_a_row_and_rows_without_any() -> None:
    labels = (np.random.default_rng(1).random((1000, 4)) < [0.5, 0.2, 0.1, 0.05]).astype(np.uint8)
    parts = stratified_split(labels, SHARES, seed=0)
    for name, share in SHARES.items():
        held = labels[parts[name]]
        assert np.abs(held.sum(axis=0) - share * labels.sum(axis=0)).max() <= 3
        empty = (labels.sum(axis=1) == 0).sum()
        assert (held.sum(axis=1) == 0).sum() == pytest.approx(share * empty, abs=1)


def test_many_labels_are_balanced_as_by_the_library(shared_data_dir: Path) -> None:
    """The tweets and reviews of EmoThreat, a tenth of them, beside iterative-stratification's own split."""
    stratifiers = pytest.importorskip("iterstrat.ml_stratifiers")
    conf = Path(__file__).resolve().parents[2] / "conf" / "data" / "emothreat_public.yaml"
    try:
        corpus = load_corpus(yaml.safe_load(conf.read_text(encoding="utf-8")), shared_data_dir)
    except UserError as error:
        pytest.skip(f"EmoThreat is not in EMOJI_PRED_DATA: {error}")
    rows = [corpus.splits[split] for split in ("train", "validation")]
    texts, labels = rows[0].texts + rows[1].texts, np.concatenate([part.labels for part in rows])
    wanted, size = labels.sum(axis=0) / 10, len(texts) / 10

    def furthest(part: np.ndarray) -> float:
        return float(np.abs(labels[part].sum(axis=0) - wanted).max())

    for seed in range(3):
        by_row, by_text = (
            split(*arguments, {"train": 0.9, "validation": 0.1}, seed)["validation"]
            for split, *arguments in (
                (stratified_split, labels),
                (stratified_split_by_text, texts, labels),
            )
        )
        library = stratifiers.MultilabelStratifiedShuffleSplit(n_splits=1, test_size=0.1, random_state=seed)
        (_, theirs), *_ = library.split(texts, labels)
        drawn = np.random.default_rng(seed).permutation(len(texts))[: round(size)]
        # A class cannot be nearer to its tenth than by half a row; chance alone is some ten rows off. Copies
        # of a text go together, which may cost a row.
        assert furthest(theirs) < 1 and furthest(by_row) < 1 and furthest(by_text) < 2 < 5 < furthest(drawn)
        for part in (by_row, by_text):  # classes are balanced first, and the number of rows less closely
            assert abs(len(part) - size) < 0.05 * size


# --- by texts


def test_all_rows_of_a_text_stand_in_one_split_and_classes_keep_their_shares() -> None:
    rng = np.random.default_rng(2)
    of = rng.integers(0, 800, size=2000)
    labels = rng.integers(0, 5, size=2000)
    # The same text in another case and with an invisible character counts as the same.
    texts = [f"Text {text}" if row % 2 else f"text\u200b {text}" for row, text in enumerate(of.tolist())]
    parts = stratified_split_by_text(texts, labels, SHARES, seed=0)
    groups = {name: set(of[rows].tolist()) for name, rows in parts.items()}
    assert sum(map(len, groups.values())) == len(set(of.tolist()))
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(2000))
    for name, share in SHARES.items():
        held = np.bincount(labels[parts[name]], minlength=5)
        assert np.abs(held / np.bincount(labels) - share).max() < 0.04


def test_several_labels_by_text() -> None:
    labels = np.array([[1, 0], [0, 1], [1, 1], [0, 0]] * 25, dtype=np.uint8)
    texts = [f"text {row // 2}" for row in range(100)]
    parts = stratified_split_by_text(texts, labels, SHARES, seed=0)
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 70, "validation": 10, "test": 20}
    assert all((rows[::2] + 1 == rows[1::2]).all() for rows in parts.values())


def test_texts_that_all_differ_are_split_as_rows() -> None:
    labels = np.arange(200) % 4
    texts = [f"text {row}" for row in range(200)]
    by_text = stratified_split_by_text(texts, labels, SHARES, seed=5)
    by_row = stratified_split(labels, SHARES, seed=5)
    assert {name: rows.tolist() for name, rows in by_text.items()} == {
        name: rows.tolist() for name, rows in by_row.items()
    }


def test_rows_shared_with_training() -> None:
    texts = ["a", "b", "A\u200b", "c"]
    assert rows_shared_with(texts, np.array([0, 1]), np.array([2, 3])) == 1
