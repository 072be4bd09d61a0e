"""How many rows each class has, whether its share moves between splits, and which labels stand together."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from emoji_pred.audit.counting import Counts, one_hot
from emoji_pred.audit.findings import Finding, percent
from emoji_pred.data.corpus import Corpus, Split

SMALL, MEDIUM, LARGE = 0.1, 0.3, 0.5  # Cohen's w (Cohen 1988, chapter 7)
CHANCE = 0.01  # below which a difference counts as more than chance
MOST_PAIRS = 30
FEW_ROWS = 10  # training rows of a class below which its figures say little


def class_counts(corpus: Corpus) -> dict[str, Any]:
    """Rows and counts of each split, and how many labels a row has."""
    labels_a_row = {}
    for name, split in corpus.splits.items():
        if corpus.task == "multilabel":
            numbers, rows = np.unique(split.labels.sum(axis=1, dtype=np.int64), return_counts=True)
            labels_a_row[name] = {
                str(number): rows for number, rows in zip(numbers.tolist(), rows.tolist(), strict=True)
            }
    return {
        "rows": {name: len(split) for name, split in corpus.splits.items()},
        "counts": {name: corpus.class_counts(name).tolist() for name in corpus.splits},
        "labels_a_row": labels_a_row,
    }


def shifts(corpus: Corpus) -> dict[str, dict[str, Any]]:
    """Whether class shares differ between train and each other split.

    One label a row: Pearson's chi-square test of the table classes x splits. Several: the sum of the
    statistics of each label's own 2 x 2 table, as if labels were independent, so its p-value is a guide. The
    effect is Cohen's w, which does not grow with the rows: of the whole table, or the largest of the labels.
    """
    return {
        name: _shift(corpus, corpus.splits["train"], split)
        for name, split in corpus.splits.items()
        if name != "train"
    }


def _shift(corpus: Corpus, train: Split, other: Split) -> dict[str, Any]:
    from scipy.stats import chi2

    before, after = (one_hot(split.labels, corpus.num_classes).sum(axis=0) for split in (train, other))
    if corpus.task == "multiclass":
        statistic, degrees = _chi_square(np.stack([before, after]))
        effect = float(np.sqrt(statistic / (len(train) + len(other))))
    else:
        tables = [
            _chi_square(np.array([[a, len(train) - a], [b, len(other) - b]]))
            for a, b in zip(before, after, strict=True)
        ]
        statistic, degrees = sum(one for one, _ in tables), sum(free for _, free in tables)
        effect = float(np.sqrt(max(one for one, _ in tables) / (len(train) + len(other))))
    shares = before / len(train), after / len(other)
    moved = int(np.abs(shares[1] - shares[0]).argmax())
    return {
        "chi_square": round(statistic, 2),
        "degrees_of_freedom": int(degrees),
        "p": float(chi2.sf(statistic, degrees)) if degrees else 1.0,
        "cohens_w": round(effect, 4),
        "size": size_of(effect),
        "moved_most": {
            "label": corpus.label_names[moved],
            "train": round(float(shares[0][moved]), 5),
            "there": round(float(shares[1][moved]), 5),
        },
        "shares": [round(float(share), 5) for share in shares[1]],
    }


def _chi_square(table: np.ndarray) -> tuple[float, int]:
    """Pearson's statistic without correction, and the degrees of freedom; empty columns count for nothing."""
    table = np.asarray(table, dtype=np.float64)
    table = table[:, table.sum(axis=0) > 0]
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return float(((table - expected) ** 2 / expected).sum()), table.shape[1] - 1


def size_of(effect: float) -> str:
    """Cohen's words for his w."""
    for least, word in ((LARGE, "large"), (MEDIUM, "medium"), (SMALL, "small")):
        if effect >= least:
            return word
    return "negligible"


def together(corpus: Corpus) -> dict[str, Any]:
    """Which labels stand together: on one row, or, with one label a row, on rows of the same text.

    Returns:
        on: `row` or `text`; units: how many there are; pairs: the most frequent of both labels, with phi.
    """
    held, on = _held(corpus)
    sums, rows = held.sum(axis=0), len(held)
    both = held.T @ held
    pairs: list[dict[str, Any]] = []
    for first, second in np.argwhere(np.triu(both, 1) > 0).tolist():
        counts = Counts(both[first, second], sums[first], sums[second], rows)
        names = [corpus.label_names[first], corpus.label_names[second]]
        pairs.append({"labels": names, "both": int(both[first, second]), "phi": round(float(counts.phi), 3)})
    pairs.sort(key=lambda pair: -pair["both"])
    return {"on": on, "units": rows, "different_pairs": len(pairs), "pairs": pairs[:MOST_PAIRS]}


def _held(corpus: Corpus) -> tuple[np.ndarray, str]:
    """(M, C) float32 of 0 and 1: the labels of each row, or of each text."""
    if corpus.task == "multilabel":
        return np.concatenate([split.labels for split in corpus.splits.values()]).astype(np.float32), "row"
    texts: dict[str, set[int]] = defaultdict(set)
    for split in corpus.splits.values():
        for text, label in zip(split.texts, split.labels.tolist(), strict=True):
            texts[text].add(label)
    held = np.zeros((len(texts), corpus.num_classes), dtype=np.float32)
    for row, labels in enumerate(texts.values()):
        held[row, list(labels)] = 1
    return held, "text"


def class_findings(
    corpus: Corpus, figures: dict[str, Any], moved: dict[str, dict[str, Any]]
) -> list[Finding]:
    """Classes that are missing or rare, and shares that move."""
    findings = []
    for split, counts in figures["counts"].items():
        absent = [name for name, rows in zip(corpus.label_names, counts, strict=True) if not rows]
        if absent:
            shown = ", ".join(absent[:8])
            line = f"{len(absent)} of {corpus.num_classes} classes have no row in {split}: {shown}"
            findings.append(Finding(f"absent {split}", "flaw", line, tuple(absent)))
    rare = [
        name
        for name, rows in zip(corpus.label_names, figures["counts"]["train"], strict=True)
        if 0 < rows < FEW_ROWS
    ]
    if rare:
        line = f"{len(rare)} classes have fewer than {FEW_ROWS} training rows: {', '.join(rare[:8])}"
        findings.append(Finding("rare classes", "note", line, tuple(rare)))
    without = {name: int(found["0"]) for name, found in figures["labels_a_row"].items() if found.get("0")}
    if without:
        listed = ", ".join(f"{rows:,} in {name}" for name, rows in without.items())
        findings.append(Finding("no label", "note", f"rows without any label: {listed}", evidence=without))
    for split, shift in moved.items():
        if shift["p"] < CHANCE and shift["cohens_w"] >= SMALL:
            most = shift["moved_most"]
            line = (
                f"class shares move between train and {split}: Cohen's w {shift['cohens_w']:.2f} "
                f"({shift['size']}); most for {most['label']}, {percent(most['train'])} to "
                f"{percent(most['there'])}"
            )
            findings.append(Finding(f"shift {split}", "note", line, (most["label"],), evidence=shift))
    return findings
