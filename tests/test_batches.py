"""Batches: every row exactly once, similar lengths together, by seed and epoch, shared by devices."""

from __future__ import annotations

from itertools import chain, pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from emoji_pred.batches import (
    Batches,
    Part,
    TokenRows,
    TrainingBatches,
    epoch_batches,
    evaluation_batches,
    padded_fraction,
)
from emoji_pred.tokenizers import Ragged


def lengths_of(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 40, rows)


def lists(batches: Any) -> list[list[int]]:
    return [batch.tolist() for batch in batches]


# --- training


@pytest.mark.parametrize(
    ("rows", "batch_size", "bucket_batches"),
    [(1000, 32, 50), (1000, 32, 3), (7, 32, 50), (64, 32, 1), (33, 1, 4)],
)
def test_every_row_exactly_once(rows: int, batch_size: int, bucket_batches: int) -> None:
    batches = epoch_batches(lengths_of(rows), batch_size, bucket_batches, seed=3, epoch=2)
    assert sorted(np.concatenate(batches).tolist()) == list(range(rows))
    sizes = sorted(map(len, batches), reverse=True)
    whole, rest = divmod(rows, batch_size)
    assert sizes == [batch_size] * whole + [rest] * (rest > 0)
    assert len(TrainingBatches(lengths_of(rows), batch_size, bucket_batches, 3)) == len(batches)


def test_batches_are_a_function_of_seed_and_epoch() -> None:
    def batches(seed: int, epoch: int) -> list[list[int]]:
        return lists(epoch_batches(lengths_of(300), 32, 4, seed, epoch))

    first = batches(5, 0)
    assert batches(5, 0) == first
    np.random.default_rng(0).random()
    np.random.seed(9)
    torch.manual_seed(9)
    assert batches(5, 0) == first
    others = [batches(5, 1), batches(6, 0), batches(5, 2)]
    assert all(other != first for other in others)
    # Not only the order of the batches: other rows meet.
    assert {frozenset(batch) for batch in others[0]} != {frozenset(batch) for batch in first}


def test_a_bucket_of_one_batch_is_plain_shuffling() -> None:
    rows = 10_000
    lengths = np.arange(rows)
    spread = [np.ptp(lengths[batch]) for batch in epoch_batches(lengths, 32, 1, 0, 0)]
    # 32 of 10,000 draws span some 94 % of the range: (n - 1) / (n + 1).
    assert abs(np.mean(spread) / rows - 31 / 33) < 0.02
    ordered = [np.ptp(lengths[batch]) for batch in epoch_batches(lengths, 32, 50, 0, 0)]
    assert np.mean(ordered) / rows < 2 / 50


def test_buckets_keep_padding_low_and_short_texts_do_not_come_first() -> None:
    lengths = lengths_of(5000)
    batches = epoch_batches(lengths, 32, 50, 0, 0)
    plain = epoch_batches(lengths, 32, 1, 0, 0)
    assert padded_fraction(lengths, batches) < 0.05 < 0.3 < padded_fraction(lengths, plain)
    means = np.array([lengths[batch].mean() for batch in batches])
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3


def test_padded_fraction_by_hand() -> None:
    lengths = np.array([2, 4, 3, 1])
    # 4 + 4 tokens hold 6, then 3 + 3 hold 4: 4 of 14 are padding.
    batches = [np.array([0, 1]), np.array([2, 3])]
    assert padded_fraction(lengths, batches) == pytest.approx(4 / 14)
    assert padded_fraction(lengths, [np.array([0]), np.array([1, 1])]) == 0


def test_lightning_sets_the_epoch() -> None:
    sampler = TrainingBatches(lengths_of(100), 16, 2, seed=1)
    first = lists(sampler)
    assert first == lists(epoch_batches(lengths_of(100), 16, 2, 1, 0))
    sampler.set_epoch(4)
    assert lists(sampler) == lists(epoch_batches(lengths_of(100), 16, 2, 1, 4)) != first


@pytest.mark.parametrize(("world_size", "accumulate"), [(2, 1), (3, 1), (1, 4), (2, 3)])
@pytest.mark.parametrize("rows", [209, 25, 24, 1])  # the last batch: 17, 1, 24 and 1
def test_the_parts_of_each_batch_hold_its_rows_once(world_size: int, accumulate: int, rows: int) -> None:
    lengths = lengths_of(rows)
    whole = lists(TrainingBatches(lengths, 24, 3, 0))
    shares = [
        list(TrainingBatches(lengths, 24, 3, 0, rank, world_size, accumulate)) for rank in range(world_size)
    ]
    for number, batch in enumerate(whole):
        steps = slice(number * accumulate, (number + 1) * accumulate)
        parts: list[Part] = list(chain.from_iterable(share[steps] for share in shares))
        assert len(parts) == world_size * accumulate
        assert all(part.step_rows.tolist() == batch for part in parts)
        assert all(len(part.rows) >= 1 for part in parts), "every device steps"
        counted = [part.rows.tolist() for part in parts if part.counts]
        assert sorted(chain.from_iterable(counted)) == sorted(batch)
        if len(batch) == 24:
            assert {len(part) for part in counted} == {24 // world_size // accumulate}
    assert all(len(share) == len(whole) * accumulate for share in shares)


@pytest.mark.parametrize("given", [1, 2, 4, 7])
def test_parts_go_on_where_they_were_cut(given: int) -> None:
    def rows(skipped: int) -> list[list[int]]:
        sampler = TrainingBatches(lengths_of(100), 24, 3, 0, 0, 2, 2)
        sampler.skipped = skipped
        return [part.rows.tolist() for part in sampler]

    assert rows(given) == rows(0)[given:]


# --- evaluation


@pytest.mark.parametrize("rows", [1, 2, 500])
def test_evaluation_covers_all_rows_within_the_bound(rows: int) -> None:
    lengths = lengths_of(rows)
    batches = evaluation_batches(lengths, max_tokens=256)
    assert sorted(np.concatenate(batches).tolist()) == list(range(rows))
    for batch in batches:
        assert len(batch) * lengths[batch].max() <= 256
    # No batch could have taken the first row of the next one.
    for batch, following in pairwise(batches):
        assert (len(batch) + 1) * lengths[following[0]] > 256


def test_a_row_longer_than_the_bound_is_a_batch_of_its_own() -> None:
    batches = evaluation_batches(np.array([3, 900, 2, 800]), max_tokens=10)
    assert [batch.tolist() for batch in batches] == [[2, 0], [3], [1]]


# --- tensors


TEXTS = [[5, 6, 7], [8], [9, 10], [11, 12, 13, 14]]


@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [1], [3, 1], [2, 2, 0]])
@pytest.mark.parametrize("pad_id", [0, 1])
def test_a_batch_equals_pad_sequence(rows: list[int], pad_id: int) -> None:
    targets = np.array([3, 1, 0, 2])
    batch = TokenRows(Ragged.from_rows(TEXTS), targets, pad_id)[np.array(rows)]
    expected = pad_sequence([torch.tensor(TEXTS[row]) for row in rows], True, pad_id)
    assert batch["input_ids"].dtype == torch.int64
    assert batch["input_ids"].equal(expected)
    assert batch["attention_mask"].dtype == torch.bool
    assert batch["attention_mask"].sum(1).tolist() == [len(TEXTS[row]) for row in rows]
    assert batch["input_ids"][~batch["attention_mask"]].eq(pad_id).all()
    assert batch["targets"].tolist() == targets[rows].tolist()
    assert batch["rows"].tolist() == rows


def data_module(batch_size: int = 2) -> Batches:
    tokens = Ragged.from_rows(TEXTS)
    targets = np.eye(4, dtype=np.float32)
    splits = ("train", "validation", "test")
    return Batches(
        dict.fromkeys(splits, tokens), dict.fromkeys(splits, targets), 0, batch_size, bucket_batches=2, seed=0
    )


def rows_of(loader: Any) -> list[int]:
    return sorted(row for batch in loader for row in batch["rows"].tolist())


def test_loaders_hand_out_whole_batches() -> None:
    batches = data_module()
    loader = batches.train_dataloader()
    assert len(loader) == 2
    first = next(iter(loader))
    assert first["input_ids"].shape[0] == 2
    assert first["targets"].equal(torch.eye(4)[first["rows"]])
    for each in (loader, batches.val_dataloader(), batches.evaluation_dataloader("test")):
        assert rows_of(each) == [0, 1, 2, 3]


@pytest.mark.parametrize("world_size", [2, 3, 5])
def test_devices_evaluate_as_many_batches_each_and_all_rows_together(
    monkeypatch: pytest.MonkeyPatch, world_size: int
) -> None:
    monkeypatch.setattr(evaluation_batches, "__defaults__", (4,))
    batches = data_module()
    loaders = []
    for rank in range(world_size):
        batches.trainer = SimpleNamespace(global_rank=rank, world_size=world_size)  # type: ignore[assignment]
        loaders.append(batches.evaluation_dataloader("test"))
    # Lengths 1, 2 | 3 | 4 within 4 tokens: three batches.
    assert [len(loader) for loader in loaders] == [-(-3 // world_size)] * world_size
    assert {row for loader in loaders for row in rows_of(loader)} == {0, 1, 2, 3}
