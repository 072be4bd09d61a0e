"""Which row belongs to which split: as given, or drawn, seeded, by rows or by texts."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Literal

import numpy as np

from emoji_pred.data.corpus import SPLIT_NAMES
from emoji_pred.data.labels import differ_by, spelt_alike
from emoji_pred.data.rows import Row
from emoji_pred.errors import UserError
from emoji_pred.text import duplicate_key

DrawBy = Literal["by_row", "by_text"]
# What a model reads of a text, where that makes texts the same that are not: in another spelling, cut.
AsRead = Callable[[str], str]


def stratified_split(labels: np.ndarray, shares: Mapping[str, float], seed: int) -> dict[str, np.ndarray]:
    """Divide N rows among named splits by iterative stratification (Sechidis et al. 2011, algorithm 1).

    The rarest class is given out first, each of its rows to the split that still lacks most of it, so it
    works for one label a row and for several. Rows without any label are a class of their own. A class
    of one row goes to the split with the largest share.

    Written here, and compared with the package `iterative-stratification` in the tests: that takes several
    labels a row only, and divides into two parts or equal folds, not into three splits of given shares. And a
    split decides a run's numbers, so it must not change with a package's version, which no run's name holds.

    Args:
        labels: (N,) class indices or (N, C) multi-hot.
        shares: split name -> share of the rows, > 0, together 1.
        seed: of the order in which rows of a class are given out.

    Returns:
        Split name -> row positions (M,), ascending.
    """
    classes_of = _classes_of_rows(labels)
    rng = random.Random(seed)
    order = sorted(range(len(classes_of)), key=lambda _row: rng.random())
    rows_of: dict[int, list[int]] = {}
    for row in order:
        for label in classes_of[row]:
            rows_of.setdefault(label, []).append(row)
    left = {label: len(rows) for label, rows in rows_of.items()}
    wanted = {label: [share * len(rows) for share in shares.values()] for label, rows in rows_of.items()}
    wanted_rows = [share * len(classes_of) for share in shares.values()]
    chosen = [-1] * len(classes_of)
    while left:
        rarest = min(left, key=lambda label: (left[label], label))
        for row in rows_of[rarest]:
            if chosen[row] >= 0:
                continue
            lack = wanted[rarest]
            place = max(range(len(shares)), key=lambda split: (lack[split], wanted_rows[split]))
            chosen[row] = place
            wanted_rows[place] -= 1
            for label in classes_of[row]:
                wanted[label][place] -= 1
                left[label] -= 1
        left = {label: count for label, count in left.items() if count > 0}
    positions = np.array(chosen)
    return {name: np.flatnonzero(positions == place) for place, name in enumerate(shares)}


def stratified_split_by_text(
    texts: Sequence[str], labels: np.ndarray, shares: Mapping[str, float], seed: int
) -> dict[str, np.ndarray]:
    """Divide N rows so that all rows of a text stand in one split; the texts are stratified by their labels.

    Texts count as the same under `duplicate_key`, not character by character: then no split is flattered by
    a copy that differs in case or in invisible characters, `data.clean=leak_free` can make no two texts of
    different splits the same, and `data.drop_test_duplicates` finds nothing to drop.

    Args:
        texts: N texts, as a model reads them.
        labels: (N,) class indices or (N, C) multi-hot.
        shares: as for `stratified_split`; of the texts.
        seed: likewise.

    Returns:
        Split name -> row positions (M,), ascending.
    """
    groups: dict[str, int] = {}
    of = np.array([groups.setdefault(duplicate_key(text), len(groups)) for text in texts], dtype=np.int64)
    if labels.ndim == 1:
        held = np.zeros((len(groups), int(labels.max()) + 1), dtype=np.uint8)
        held[of, labels] = 1
    else:
        held = np.zeros((len(groups), labels.shape[1]), dtype=np.uint8)
        np.maximum.at(held, of, labels)
    parts = stratified_split(held, shares, seed)
    return {name: np.flatnonzero(np.isin(of, chosen)) for name, chosen in parts.items()}


def random_split(rows: int, shares: Mapping[str, float], seed: int) -> dict[str, np.ndarray]:
    """Divide rows at random, whatever their labels, as scikit-learn's `train_test_split` does.

    One held-out split has the very rows of `train_test_split(test_size=share, random_state=seed)`: the first
    ceil(share N) of a permutation by NumPy's legacy generator, whose numbers do not change between versions.
    Further ones follow in the permutation.

    Args:
        rows: N.
        shares: held-out split -> share of the rows; "train" gets the rest.
        seed: of the permutation.

    Returns:
        Split name -> row positions (M,), ascending.
    """
    permutation = np.random.RandomState(seed).permutation(rows)
    parts, start = {}, 0
    for name, share in shares.items():
        end = min(start + math.ceil(share * rows), rows)
        parts[name] = np.sort(permutation[start:end])
        start = end
    return {"train": np.sort(permutation[start:]), **parts}


def draw(
    texts: Sequence[str],
    labels: np.ndarray,
    held_out: Mapping[str, float],
    by: DrawBy,
    seed: int,
    as_read: AsRead | None = None,
) -> dict[str, np.ndarray]:
    """Draw splits at random by rows, or stratified by texts.

    Args:
        texts: N texts.
        labels: (N,) class indices.
        held_out: split -> share; "train" gets the rest.
        by: `by_row` or `by_text`.
        seed: of the draw.
        as_read: what makes a text the same as another; None: the text as it is.
    """
    if by == "by_row":
        return random_split(len(texts), held_out, seed)
    shares = {"train": 1.0 - sum(held_out.values()), **held_out}
    return stratified_split_by_text(_read(texts, as_read), labels, shares, seed)


def _read(texts: Sequence[str], as_read: AsRead | None) -> Sequence[str]:
    return texts if as_read is None else list(map(as_read, texts))


def rows_shared_with(texts: Sequence[str], train: np.ndarray, rows: np.ndarray) -> int:
    """Count the rows whose text stands in the training rows too, under `duplicate_key`."""
    seen = {duplicate_key(texts[row]) for row in train.tolist()}
    return sum(1 for row in rows.tolist() if duplicate_key(texts[row]) in seen)


def assign_rows(
    rows: Sequence[Row],
    labels: np.ndarray,
    given: Set[str],
    fractions: Mapping[str, float],
    seed: int,
    by: DrawBy = "by_row",
    as_read: AsRead | None = None,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the row positions of each split, and which splits were drawn from the training rows.

    Args:
        rows: N rows, each with the split that its file or split column names.
        labels: (N,) class indices or (N, C) multi-hot.
        given: splits that the user gave; the others of `fractions` are drawn.
        fractions: split name -> share of the training rows to draw; 0 for none.
        seed: of the draw.
        by: draw rows, or texts with all their rows; stratified in both cases.
        as_read: what makes a text the same as another; None: the text as it is.

    Raises:
        UserError: no validation rows are given or drawn, or no training rows are left.
    """
    of = np.array([SPLIT_NAMES.index(row.split) for row in rows])
    members = {name: np.flatnonzero(of == place) for place, name in enumerate(SPLIT_NAMES)}
    drawn = {name: share for name, share in fractions.items() if name not in given and share > 0}
    if "validation" not in given and "validation" not in drawn:
        raise UserError(
            "data.validation_fraction is 0 and there are no validation rows: set it, or data.files.validation"
        )
    if drawn:
        train_share = 1.0 - sum(drawn.values())
        if train_share <= 0:
            raise UserError("data.validation_fraction and data.test_fraction together leave no training rows")
        pool = members["train"]
        shares = {"train": train_share, **drawn}
        drawn_rows = [rows[row] for row in pool.tolist()]
        units: Sequence[str] = [row.row_id for row in drawn_rows]
        if by == "by_text":
            units = _read([row.text for row in drawn_rows], as_read)
            parts = stratified_split_by_text(units, labels[pool], shares, seed)
        else:
            parts = stratified_split(labels[pool], shares, seed)
        members |= {name: pool[chosen] for name, chosen in parts.items()}
        empty = [name for name in drawn if not members[name].size]
        if empty:
            why = _why_empty(units, labels[pool], drawn[empty[0]], by)
            raise UserError(
                f"{rows[0].source.path}: {why} to draw {empty[0]} rows with "
                f"data.{empty[0]}_fraction={drawn[empty[0]]}; give {empty[0]} rows of your own "
                f"(data.files.{empty[0]}), or train on {'fewer classes' if 'class' in why else 'more rows'}"
            )
    if not members["train"].size:
        raise UserError(f"{rows[0].source.path}: no training rows are left; data.files.train or split_column")
    kept = {name for name in SPLIT_NAMES if name in given or name in drawn or name == "train"}
    return {name: chosen for name, chosen in members.items() if name in kept}, list(drawn)


def _why_empty(units: Sequence[str], labels: np.ndarray, share: float, by: DrawBy) -> str:
    """What there is too little of to draw a share: rows (or texts), or those of each class.

    A class gives its rows to training first, so many classes of one row each leave nothing to other splits.
    """
    units = list(map(duplicate_key, units)) if by == "by_text" else units
    what = "text(s)" if by == "by_text" else "row(s)"
    held = {(unit, label) for unit, of in zip(units, _classes_of_rows(labels), strict=True) for label in of}
    counts, number = Counter(label for _, label in held), len(set(units))
    if share * number < 1:
        return f"{number} {what} are too few"
    most = max(counts.values())
    return f"no class has enough {what}, the largest of {len(counts)} classes only {most},"


def check_classes(labels: np.ndarray, members: Mapping[str, np.ndarray], names: Sequence[str]) -> list[str]:
    """Name classes that a held-out split lacks (`prepare` tells of training), and names that look alike."""
    warnings = []
    for split, chosen in members.items():
        counts = _class_counts(labels[chosen], len(names))
        absent = [names[label] for label in np.flatnonzero(counts == 0).tolist()]
        if absent and len(chosen) and split != "train":
            warnings.append(f"{len(absent)} class(es) have no row in {split}: {', '.join(absent[:10])}")
    groups = [[names[place] for place in places] for places in spelt_alike(names)]
    if groups:
        shown = "; ".join(f"{' and '.join(map(repr, group))} ({differ_by(group)})" for group in groups[:3])
        warnings.append(f"{sum(map(len, groups))} label names differ only in spelling: {shown}")
    return warnings


def _class_counts(labels: np.ndarray, num_classes: int) -> np.ndarray:
    return np.bincount(labels, minlength=num_classes) if labels.ndim == 1 else labels.sum(axis=0)


def _classes_of_rows(labels: np.ndarray) -> list[list[int]]:
    if labels.ndim == 1:
        return [[label] for label in labels.tolist()]
    without_label = [labels.shape[1]]
    return [np.flatnonzero(row).tolist() or without_label for row in labels]
