"""Texts that are nearly, but not exactly, a text before them.

They are found by MinHash and locality-sensitive hashing (Broder 1997; rensa, in Rust) over runs of five
characters, and every candidate is verified by its true Jaccard similarity. A text is compared with the first
text of each cluster, so time stays linear however many copies there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from emoji_pred.data.corpus import Corpus

SHINGLE = 5  # characters
NEAR = 0.8  # Jaccard similarity of the shingles
SEED = 7
# 20 bands of 5 find a pair of similarity 0.8 with probability 0.9996, one of 0.7 with 0.975, one of 0.3 with
# 0.05: 1 - (1 - s^5)^20.
BANDS, ROWS_A_BAND = 20, 5
LOOKED_AT = 2_000  # characters of a text
SHORTEST = 15  # characters: of shorter texts a single typing error is a different text
CHUNK = 2_000
MOST_CANDIDATES = 40  # that are verified for one text
Z = 1.96
MISSING = "near duplicates need a package: pip install 'emoji_pred[audit]'"

Progress = Callable[[Sequence[Any], str], Iterable[Any]]
Place = tuple[str, int]  # of a row: its split, its number there


def near_duplicates(corpus: Corpus, texts: dict[str, list[str]], progress: Progress) -> dict[str, Any]:
    """Rows whose text is similar to one before it; equal texts are not counted again.

    Args:
        corpus: whose labels are compared.
        texts: its texts by split, as they are to be compared.
        progress: shows how far it is.

    Returns:
        `inside`: for each split the different texts that are near an earlier one of it and of no split
        before; `across`: for validation and test the rows near a text of an earlier split; `labels`: for
        these what `_labels` says. Or `missing`, why they were not looked for.
    """
    try:
        import rensa
    except ImportError:
        return {"missing": MISSING}

    index = rensa.RMinHashLSH(threshold=NEAR, num_perm=BANDS * ROWS_A_BAND, num_bands=BANDS)
    firsts: list[str] = []  # the first text of each cluster
    homes: list[Place] = []  # where it stands
    inside: Counter[str] = Counter()
    across: dict[str, dict[str, Place]] = {name: {} for name in texts if name != "train"}
    seen: set[str] = set()
    for name, start in progress(_chunks(texts), "near duplicates"):
        fresh: dict[str, int] = {}
        for row, text in enumerate(texts[name][start : start + CHUNK], start):
            if text not in seen and len(text) >= SHORTEST:
                fresh.setdefault(text, row)
        seen.update(fresh)
        sketches = rensa.RMinHash.from_token_sets(list(map(shingles, fresh)), BANDS * ROWS_A_BAND, SEED)
        for (text, row), sketch in zip(fresh.items(), sketches, strict=True):
            found = _first_near(text, sorted(index.query(sketch))[:MOST_CANDIDATES], firsts)
            if found is None:
                index.insert(len(firsts), sketch)
                firsts.append(text)
                homes.append((name, row))
            elif homes[found][0] == name:
                inside[name] += 1
            else:
                across[name][text] = homes[found]
    copies = {
        name: [(row, near[text]) for row, text in enumerate(texts[name]) if text in near]
        for name, near in across.items()
    }
    return {
        "similarity": NEAR,
        "shingle_characters": SHINGLE,
        "shortest_text": SHORTEST,
        "inside": {name: inside[name] for name in texts},
        "across": {name: len(rows) for name, rows in copies.items()},
        "labels": {name: _labels(corpus, name, rows) for name, rows in copies.items()},
    }


def _chunks(texts: dict[str, list[str]]) -> list[Place]:
    return [(name, start) for name, rows in texts.items() for start in range(0, len(rows), CHUNK)]


def shingles(text: str) -> list[str]:
    """The runs of `SHINGLE` characters of a text's beginning."""
    text = text[:LOOKED_AT]
    return [text[start : start + SHINGLE] for start in range(max(1, len(text) - SHINGLE + 1))]


def similarity(first: str, second: str) -> float:
    """Jaccard similarity of the shingles of two texts, 0 to 1."""
    one, other = set(shingles(first)), set(shingles(second))
    return len(one & other) / len(one | other)


def _first_near(text: str, candidates: Sequence[int], firsts: Sequence[str]) -> int | None:
    """The first candidate that is near: of an earlier split, if any of one is."""
    return next((one for one in candidates if similarity(text, firsts[one]) >= NEAR), None)


def _labels(corpus: Corpus, split: str, copies: Sequence[tuple[int, Place]]) -> dict[str, Any]:
    """What near copies say of the labels of a split.

    Args:
        corpus: the labels.
        split: whose rows are looked at.
        copies: rows of it, each with the place of the text that it is near to.

    Returns:
        same: the rows with exactly the label, or labels, of that text; by_chance: how many would have those
        of a training row drawn at random; given_away: the difference as a share of all rows of the split,
        and its 95 % `interval` over rows.
    """
    labels = corpus.splits[split].labels
    train = Counter(label.tobytes() for label in corpus.splits["train"].labels)
    same, chance = np.zeros(len(labels)), np.zeros(len(labels))
    for row, (home, there) in copies:
        same[row] = np.array_equal(labels[row], corpus.splits[home].labels[there])
        chance[row] = train[labels[row].tobytes()] / train.total()
    gain = same - chance
    error = Z * float(gain.std()) / np.sqrt(len(gain))
    return {
        "same": int(same.sum()),
        "by_chance": round(float(chance.sum()), 2),
        "given_away": round(float(gain.mean()), 5),
        "interval": [round(float(gain.mean()) + sign * error, 5) for sign in (-1, 1)],
    }
