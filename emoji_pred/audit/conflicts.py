"""Texts that stand with different labels, and the best that any model could reach on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from emoji_pred.audit.findings import Finding, count, percent
from emoji_pred.data.ceiling import ceiling
from emoji_pred.data.corpus import Corpus
from emoji_pred.text import duplicate_key

NOTABLE = 0.01  # share of the rows above which conflicts are a flaw


def answers(labels: np.ndarray) -> np.ndarray:
    """Each row's whole answer as one number (N,): its class, or the number of its set of labels."""
    if labels.ndim == 1:
        return labels
    _, numbers = np.unique(labels, axis=0, return_inverse=True)
    return np.asarray(numbers.reshape(-1), dtype=np.int64)


def conflicts(corpus: Corpus) -> dict[str, Any]:
    """For all rows and for each split, as the texts stand and under `duplicate_key`.

    Returns:
        `exact` and `normalised`, each with a place for `all` and for every split: texts (with different
        labels), rows (of such texts), and best (the highest accuracy of a model that gives one text one
        answer; of several labels, the highest exact match), a fraction.
    """
    parts = {name: (split.texts, split.labels) for name, split in corpus.splits.items()}
    everything = [text for texts, _ in parts.values() for text in texts]
    parts["all"] = (everything, np.concatenate([labels for _, labels in parts.values()]))
    found: dict[str, Any] = {"exact": {}, "normalised": {}}
    for name, (texts, labels) in parts.items():
        numbers = answers(labels)
        found["exact"][name] = _conflicts(texts, numbers)
        found["normalised"][name] = _conflicts([duplicate_key(text) for text in texts], numbers)
    return found


def _conflicts(texts: Sequence[str], numbers: np.ndarray) -> dict[str, Any]:
    given: dict[str, set[int]] = {}
    for text, number in zip(texts, numbers.tolist(), strict=True):
        given.setdefault(text, set()).add(number)
    doubtful = {text for text, labels in given.items() if len(labels) > 1}
    return {
        "texts": len(doubtful),
        "rows": sum(text in doubtful for text in texts),
        "best": round(ceiling(texts, numbers)["top_1"], 5),
    }


def conflict_findings(corpus: Corpus, figures: dict[str, Any]) -> list[Finding]:
    """One finding where texts conflict; a flaw where many rows are concerned."""
    found = figures["exact"]["all"]
    if not found["texts"]:
        found = figures["normalised"]["all"]
    if not found["texts"]:
        return []
    rows = sum(len(split) for split in corpus.splits.values())
    best = "accuracy" if corpus.task == "multiclass" else "exact match"
    judged = "test" if "test" in corpus.splits else "validation"
    line = (
        f"{count(found['texts'], 'text stands', 'texts stand')} with different labels "
        f"({count(found['rows'], 'row')}, {percent(found['rows'] / rows)}); the best reachable {best} is "
        f"{found['best']:.3f} over all rows, {figures['exact'][judged]['best']:.3f} on {judged}"
    )
    status = "flaw" if found["rows"] > NOTABLE * rows else "note"
    return [Finding("conflicting labels", status, line, evidence=found)]  # type: ignore[arg-type]
