"""Texts that stand twice, exactly or nearly, inside a split and across splits.

Near duplicates are found by MinHash and locality-sensitive hashing (Broder 1997; rensa, in Rust) over runs of
five characters, and every candidate is verified by its true Jaccard similarity. A text is compared with the
first text of each cluster, so time stays linear however many copies there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from emoji_pred.audit.findings import Finding, count, percent
from emoji_pred.audit.remedies import Remedies
from emoji_pred.data.corpus import Corpus
from emoji_pred.data.prepare import NOTABLE_DUPLICATES
from emoji_pred.text import duplicate_key

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

Progress = Callable[[Sequence[Any], str], Iterable[Any]]


def duplicates(corpus: Corpus, progress: Progress) -> dict[str, Any]:
    """Exact duplicates as the texts stand and under `duplicate_key`, and near ones under it.

    Returns:
        `exact`, `normalised`: `inside`, for each split the rows that repeat an earlier one of it; `across`,
        for validation and test the rows whose text stands in an earlier split. `near`: the same for different
        texts that are similar; or `missing`, why they were not looked for.
    """
    as_they_stand = {name: split.texts for name, split in corpus.splits.items()}
    keys = {name: [duplicate_key(text) for text in texts] for name, texts in as_they_stand.items()}
    return {
        "exact": _exact(as_they_stand),
        "normalised": _exact(keys),
        "near": _near(keys, progress),
    }


def _exact(texts: dict[str, list[str]]) -> dict[str, Any]:
    earlier: set[str] = set()
    inside, across = {}, {}
    for name, rows in texts.items():
        inside[name] = len(rows) - len(set(rows))
        if earlier:
            across[name] = sum(row in earlier for row in rows)
        earlier.update(rows)
    most = max(Counter(row for rows in texts.values() for row in rows).values())
    return {"inside": inside, "across": across, "most_copies": most}


def _near(keys: dict[str, list[str]], progress: Progress) -> dict[str, Any]:
    """Rows by the similarity of their text to one before it; equal texts are not counted again."""
    try:
        import rensa
    except ImportError:
        return {"missing": "near duplicates need a package: pip install 'emoji_pred[audit]'"}

    index = rensa.RMinHashLSH(threshold=NEAR, num_perm=BANDS * ROWS_A_BAND, num_bands=BANDS)
    firsts: list[str] = []  # the first text of each cluster
    homes: list[str] = []  # the split where it stands
    inside: Counter[str] = Counter()
    across: Counter[str] = Counter()
    seen: set[str] = set()
    for name, chunk in progress(_chunks(keys), "near duplicates"):
        fresh = [key for key in dict.fromkeys(chunk) if key not in seen and len(key) >= SHORTEST]
        seen.update(fresh)
        sketches = rensa.RMinHash.from_token_sets(list(map(shingles, fresh)), BANDS * ROWS_A_BAND, SEED)
        for key, sketch in zip(fresh, sketches, strict=True):
            found = _nearest(key, sorted(index.query(sketch))[:MOST_CANDIDATES], firsts)
            if found is None:
                index.insert(len(firsts), sketch)
                firsts.append(key)
                homes.append(name)
            else:
                (inside if homes[found] == name else across)[name] += 1
    return {
        "similarity": NEAR,
        "shingle_characters": SHINGLE,
        "shortest_text": SHORTEST,
        "inside": {name: inside[name] for name in keys},
        "across": {name: across[name] for name in keys if name != "train"},
    }


def _chunks(keys: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
    return [
        (name, rows[start : start + CHUNK])
        for name, rows in keys.items()
        for start in range(0, len(rows), CHUNK)
    ]


def shingles(key: str) -> list[str]:
    """The runs of `SHINGLE` characters of a text's beginning."""
    key = key[:LOOKED_AT]
    return [key[start : start + SHINGLE] for start in range(max(1, len(key) - SHINGLE + 1))]


def similarity(first: str, second: str) -> float:
    """Jaccard similarity of the shingles of two texts, 0 to 1."""
    one, other = set(shingles(first)), set(shingles(second))
    return len(one & other) / len(one | other)


def _nearest(key: str, candidates: Sequence[int], firsts: Sequence[str]) -> int | None:
    """The most similar candidate that is near; the first of equals."""
    scored = [(similarity(key, firsts[candidate]), -candidate) for candidate in candidates]
    best = max(scored, default=(0.0, 0))
    return -best[1] if best[0] >= NEAR else None


def duplicate_findings(corpus: Corpus, figures: dict[str, Any], remedies: Remedies) -> list[Finding]:
    """Texts in two splits (a leak where they are many), repeats inside a split, near duplicates."""
    findings = []
    for split, rows in figures["normalised"]["across"].items():
        if rows:
            findings.append(_across(corpus, split, rows, figures["exact"]["across"][split], remedies))
    repeats = {name: rows for name, rows in figures["normalised"]["inside"].items() if rows}
    if repeats:
        listed = ", ".join(f"{rows:,} in {name}" for name, rows in repeats.items())
        line = f"rows that repeat a text of their own split: {listed}"
        findings.append(Finding("repeats", "note", line, evidence={"rows": repeats}))
    near = {name: rows for name, rows in figures["near"].get("across", {}).items() if rows}
    if near:
        listed = ", ".join(f"{rows:,} of {name}" for name, rows in near.items())
        line = f"texts that are nearly one of an earlier split (Jaccard {NEAR} or more): {listed}"
        findings.append(Finding("near duplicates", "note", line, evidence={"rows": near}))
    return findings


def _across(corpus: Corpus, split: str, rows: int, exact: int, remedies: Remedies) -> Finding:
    size = len(corpus.splits[split])
    before = "train" if split == "validation" else "train or validation"
    have = "has" if rows == 1 else "have"
    line = (
        f"{count(rows, f'{split} row')} of {size:,} ({percent(rows / size)}) {have} a text that stands in "
        f"{before} too ({exact:,} of them to the letter)"
    )
    mends = remedies.texts_together() + (remedies.without_test_duplicates() if split == "test" else ())
    status = "leak" if rows > NOTABLE_DUPLICATES * size else "note"
    evidence = {"rows": rows, "exact": exact, "share": round(rows / size, 5)}
    return Finding(f"shared texts {split}", status, line, (), evidence, mends)  # type: ignore[arg-type]
