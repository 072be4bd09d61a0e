from __future__ import annotations

import numpy as np
import pytest

from emoji_pred.data.splits import stratified_split

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
