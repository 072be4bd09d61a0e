"""Corpus: named splits of texts and labels, whatever dataset they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from emoji_pred.errors import UserError

Task = Literal["multiclass", "multilabel"]

SPLIT_NAMES = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Texts of one split with their labels and row ids, in the order of the source.

    Attributes:
        texts: N raw (or cleaned) texts; a text may be blank after cleaning.
        labels: (N,) int64 class indices, or (N, C) uint8 multi-hot rows.
        row_ids: N ids that stay with a row when other rows are removed.
    """

    texts: list[str]
    labels: np.ndarray
    row_ids: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> Split:
        """Return the rows at the given positions ((M,) int), in that order."""
        positions = [int(row) for row in rows]
        return Split(
            texts=[self.texts[row] for row in positions],
            labels=self.labels[rows],
            row_ids=[self.row_ids[row] for row in positions],
        )


@dataclass(frozen=True)
class Corpus:
    """A dataset ready to be tokenized; everything after it is dataset-agnostic.

    Attributes:
        name: what reports call it.
        task: one label per text, or any number of labels.
        label_names: C names as a reader sees them: the emoji itself where it is one.
        splits: "train", "validation" and, where there is one, "test".
        provenance: plain JSON values: files with git blob ids, commit, citation, counts.
        warnings: one line each, for the user; already counted ("12 rows dropped: ...").
        clusters: C cluster numbers, for classes that are trained as one; None: each for itself.

    Raises:
        UserError: lengths that disagree, a label outside the classes, an empty or missing split.
    """

    name: str
    task: Task
    label_names: tuple[str, ...]
    splits: dict[str, Split]
    provenance: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    clusters: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        self._check_names()
        for split_name, split in self.splits.items():
            where = f"data {self.name}: split {split_name}"
            self._check_lengths(where, split)
            check = self._check_multiclass if self.task == "multiclass" else self._check_multilabel
            check(where, split)

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return len(self.label_names)

    def class_counts(self, split: str = "train") -> np.ndarray:
        """Count the rows of each class in a split: (C,) int64."""
        labels = self.splits[split].labels
        if self.task == "multiclass":
            return np.bincount(labels, minlength=self.num_classes).astype(np.int64)
        return labels.sum(axis=0, dtype=np.int64)

    def _check_names(self) -> None:
        if self.task not in ("multiclass", "multilabel"):
            raise UserError(f"data {self.name}: task is {self.task!r}; it must be multiclass or multilabel")
        smallest = 2 if self.task == "multiclass" else 1
        if self.num_classes < smallest:
            raise UserError(
                f"data {self.name}: found {self.num_classes} class(es) {list(self.label_names)}; "
                f"a {self.task} task needs at least {smallest}"
            )
        repeated = sorted({name for name in self.label_names if self.label_names.count(name) > 1})
        if repeated:
            raise UserError(f"data {self.name}: label names stand twice: {', '.join(repeated)}")
        missing = [name for name in ("train", "validation") if name not in self.splits]
        if missing:
            raise UserError(f"data {self.name}: split {' and '.join(missing)} is missing; give or draw it")
        unknown = [name for name in self.splits if name not in SPLIT_NAMES]
        if unknown:
            raise UserError(
                f"data {self.name}: unknown split {unknown[0]!r}; splits are {', '.join(SPLIT_NAMES)}"
            )

    @staticmethod
    def _check_lengths(where: str, split: Split) -> None:
        if not split.texts:
            raise UserError(f"{where} is empty: it has no rows left to use")
        if not len(split.texts) == len(split.labels) == len(split.row_ids):
            raise UserError(
                f"{where} has {len(split.texts)} texts, {len(split.labels)} labels and "
                f"{len(split.row_ids)} row ids; there must be as many of each"
            )
        if len(set(split.row_ids)) != len(split.row_ids):
            seen: set[str] = set()
            repeated = next(row_id for row_id in split.row_ids if row_id in seen or seen.add(row_id))  # type: ignore[func-returns-value]
            raise UserError(f"{where}: row id {repeated!r} stands twice; row ids must differ")

    def _check_multiclass(self, where: str, split: Split) -> None:
        labels = split.labels
        if labels.ndim != 1 or labels.dtype != np.int64:
            raise UserError(
                f"{where}: multiclass labels must be (N,) int64, not {labels.shape} {labels.dtype}"
            )
        outside = np.flatnonzero((labels < 0) | (labels >= self.num_classes))
        if outside.size:
            row = int(outside[0])
            raise UserError(
                f"{where}, row {split.row_ids[row]}: label {int(labels[row])} is outside the "
                f"{self.num_classes} classes (0 to {self.num_classes - 1})"
            )

    def _check_multilabel(self, where: str, split: Split) -> None:
        labels = split.labels
        if labels.ndim != 2 or labels.shape[1] != self.num_classes or labels.dtype != np.uint8:
            raise UserError(
                f"{where}: multilabel labels must be (N, {self.num_classes}) uint8, "
                f"not {labels.shape} {labels.dtype}"
            )
        outside = np.flatnonzero((labels > 1).any(axis=1))
        if outside.size:
            row = int(outside[0])
            raise UserError(f"{where}, row {split.row_ids[row]}: multi-hot labels must be 0 or 1")
