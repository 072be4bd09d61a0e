"""The best that any model could reach where one text has several labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from emoji_pred.data.corpus import Corpus

CEILING_K = (1, 3, 5, 10)


def ceiling(texts: Sequence[str], labels: np.ndarray) -> dict[str, float]:
    """The highest top-k accuracy of a model that gives one text one ranking of the classes.

    The best ranking of a text puts the labels of its rows in order of their number, so the ceiling is the
    number of rows that have one of the k most frequent labels of their text, over all rows. It is exact for
    the given rows, and reached only by one who knows them.

    Args:
        texts: N texts, character by character what a model reads.
        labels: (N,) class indices.

    Returns:
        top_1, top_3, top_5, top_10, fractions of the rows.
    """
    counts_of: dict[str, list[int]] = {}
    for (text, _), count in Counter(zip(texts, labels.tolist(), strict=True)).items():
        counts_of.setdefault(text, []).append(count)
    hits = dict.fromkeys(CEILING_K, 0)
    for counts in counts_of.values():
        counts.sort(reverse=True)
        for k in CEILING_K:
            hits[k] += sum(counts[:k])
    return {f"top_{k}": hits[k] / len(texts) for k in CEILING_K}


def ceilings(corpus: Corpus) -> dict[str, dict[str, float]] | None:
    """The ceiling of each split; None for several labels per text, where none is needed."""
    if corpus.task != "multiclass":
        return None
    return {name: ceiling(split.texts, split.labels) for name, split in corpus.splits.items()}
