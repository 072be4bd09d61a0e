"""From ragged token ids to padded batches: length buckets and the only LightningDataModule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import lightning.pytorch as pl
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from emoji_pred.padding import evaluation_batches, pad
from emoji_pred.tokenizers import Ragged


def epoch_batches(
    lengths: np.ndarray, batch_size: int, bucket_batches: int, seed: int, epoch: int
) -> list[np.ndarray]:
    """The batches of one training epoch, a function of (seed, epoch) alone.

    Rows are shuffled, cut into buckets of `bucket_batches` batches, sorted by length inside each bucket and
    cut into batches, which are shuffled again. So a batch holds texts of similar length (little padding), and
    which texts meet changes from epoch to epoch.

    Args:
        lengths: (N,) tokens of each row.
        batch_size: rows a batch; the last may hold fewer.
        bucket_batches: batches a bucket; 1 is plain shuffling.
        seed: of the run.
        epoch: from 0.
    """
    generator = np.random.default_rng((seed, epoch))
    rows = generator.permutation(len(lengths))
    bucket = batch_size * bucket_batches
    buckets = [rows[start : start + bucket] for start in range(0, len(rows), bucket)]
    batches = []
    for members in buckets:
        ordered = members[np.argsort(lengths[members], kind="stable")] if bucket_batches > 1 else members
        batches += [ordered[start : start + batch_size] for start in range(0, len(ordered), batch_size)]
    return [batches[index] for index in generator.permutation(len(batches))]


def padded_fraction(lengths: np.ndarray, batches: list[np.ndarray]) -> float:
    """The share of padding among all tokens of the batches, in [0, 1)."""
    padded = sum(len(rows) * int(lengths[rows].max()) for rows in batches)
    return 1 - int(sum(lengths[rows].sum() for rows in batches)) / padded


class Part(NamedTuple):
    """What one device takes of a training batch for one forward pass.

    Attributes:
        rows: (B,) of the split.
        step_rows: all rows of the optimizer step, over forward passes and devices.
        counts: False: the rows stand in where a last batch has fewer rows than parts, as every device must
            step; they count for nothing.
    """

    rows: np.ndarray
    step_rows: np.ndarray
    counts: bool


class TrainingBatches(Sampler[Any]):
    """The batches of an epoch, an array of rows each, or parts of them; Lightning sets the epoch.

    Args:
        lengths: (N,) tokens of each row.
        batch_size: rows of one optimizer step.
        bucket_batches: see `epoch_batches`.
        seed: of the run.
        rank: number of this device.
        world_size: devices; each takes its share of every forward pass.
        accumulate: forward passes of one optimizer step.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_size: int,
        bucket_batches: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        accumulate: int = 1,
    ) -> None:
        self.lengths, self.batch_size, self.bucket_batches, self.seed = (
            lengths,
            batch_size,
            bucket_batches,
            seed,
        )
        self.rank, self.world_size, self.accumulate = rank, world_size, accumulate
        self.epoch = 0
        self.given = 0  # parts of this epoch
        self.skipped = 0  # parts of the epoch that comes next which an interrupted run has had

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch (from 0) whose batches come next."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[np.ndarray | Part]:
        batches = epoch_batches(self.lengths, self.batch_size, self.bucket_batches, self.seed, self.epoch)
        self.given, self.skipped = self.skipped, 0
        first, within = divmod(self.given, self.accumulate)
        for step_rows in batches[first:]:
            for rows in np.array_split(step_rows, self.accumulate)[within:]:
                self.given += 1
                if self.accumulate * self.world_size == 1:
                    yield rows
                    continue
                own = rows[self.rank :: self.world_size]
                yield Part(own if len(own) else step_rows[:1], step_rows, counts=len(own) > 0)
            within = 0

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size) * self.accumulate


class TokenRows(Dataset):
    """Padded batches out of a ragged array; an index is the array of a batch's rows, or a part of a batch.

    A part comes with the targets of its whole optimizer step, by which its loss is divided. Where the vectors
    of the texts (N, D) are known (`frozen_vectors`), they stand in the place of the ids, with one column of
    mask.
    """

    def __init__(
        self, tokens: Ragged, targets: np.ndarray, pad_id: int, vectors: np.ndarray | None = None
    ) -> None:
        self.tokens, self.targets, self.pad_id, self.vectors = tokens, targets, pad_id, vectors

    def __getitem__(self, rows: np.ndarray | Part) -> dict[str, Any]:
        if isinstance(rows, Part):
            return self[rows.rows] | {"step_targets": self._targets(rows.step_rows), "counts": rows.counts}
        known = self.vectors is not None
        input_ids, mask = self._embedded(rows) if known else pad(self.tokens, rows, self.pad_id)
        return {
            "input_ids": input_ids,
            "attention_mask": mask,
            "targets": self._targets(rows),
            "rows": torch.from_numpy(rows),
        }

    def _targets(self, rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self.targets[rows])

    def _embedded(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors (B, D) and a mask (B, 1)."""
        assert self.vectors is not None
        return torch.from_numpy(np.array(self.vectors[rows])), torch.ones(len(rows), 1, dtype=torch.bool)


class Batches(pl.LightningDataModule):
    """Training batches in length buckets, evaluation batches by length; every row exactly once.

    Args:
        tokens: the ragged ids of each split.
        targets: (N,) class indices or (N, C) multi-hot of each split.
        pad_id: the id that fills a batch's short rows.
        batch_size: rows of one optimizer step over all devices together.
        bucket_batches: see `epoch_batches`.
        seed: of the run.
        accumulate: forward passes of one optimizer step.
        vectors: (N, D) of each split, in the place of its ids.
    """

    def __init__(
        self,
        tokens: Mapping[str, Ragged],
        targets: Mapping[str, np.ndarray],
        pad_id: int,
        batch_size: int,
        bucket_batches: int,
        seed: int,
        accumulate: int = 1,
        vectors: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        super().__init__()
        known = vectors or {}
        self.rows = {
            split: TokenRows(tokens[split], targets[split], pad_id, known.get(split)) for split in tokens
        }
        self.lengths = {split: tokens[split].lengths for split in tokens}
        self.batch_size, self.bucket_batches, self.seed = batch_size, bucket_batches, seed
        self.accumulate = accumulate
        self._training: TrainingBatches | None = None
        self._given_before = 0

    def state_dict(self) -> dict[str, int]:
        """The place in the epoch, stored with a checkpoint; after the last batch, the start of the next."""
        if self._training is None or self.trainer is None:
            return {"given": 0}
        return {"given": self._training.given % int(self.trainer.num_training_batches)}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Begin the first epoch at the place stored."""
        self._given_before = state_dict["given"]

    def train_dataloader(self) -> DataLoader:
        """Batches of the training split, in another order each epoch."""
        rank, world_size = self._place()
        self._training = TrainingBatches(
            self.lengths["train"],
            self.batch_size,
            self.bucket_batches,
            self.seed,
            rank,
            world_size,
            self.accumulate,
        )
        self._training.skipped = self._given_before
        return DataLoader(self.rows["train"], batch_size=None, sampler=self._training)

    def val_dataloader(self) -> DataLoader:
        """Batches of the validation split."""
        return self.evaluation_dataloader("validation")

    def evaluation_dataloader(self, split: str) -> DataLoader:
        """Batches of any split by rising length; each device gets every `world_size`-th of them.

        All devices get as many batches, as they must step together: the first ones may come twice.
        """
        rank, world_size = self._place()
        batches = evaluation_batches(self.lengths[split])
        rounds = -(-len(batches) // world_size)
        share: Any = [batches[(step * world_size + rank) % len(batches)] for step in range(rounds)]
        return DataLoader(self.rows[split], batch_size=None, sampler=share)

    def _place(self) -> tuple[int, int]:
        trainer = self.trainer
        return (trainer.global_rank, trainer.world_size) if trainer is not None else (0, 1)
