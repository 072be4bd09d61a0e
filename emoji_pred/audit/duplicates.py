"""Texts that stand twice, exactly or nearly, inside a split and across splits."""

from __future__ import annotations

from collections import Counter
from typing import Any

from emoji_pred.audit.findings import Finding, Status, count, percent
from emoji_pred.audit.near_duplicates import NEAR, Progress, near_duplicates
from emoji_pred.audit.remedies import Remedies
from emoji_pred.data.corpus import Corpus
from emoji_pred.data.prepare import NOTABLE_DUPLICATES
from emoji_pred.text import duplicate_key

# Of a split's rows. docs/audit.md says why near copies are borne where exact ones are not.
NOTABLE_NEAR = 0.05  # near a text of an earlier split: a flaw
GIVEN_AWAY = 0.05  # with its labels too, beyond chance, lower end of the interval: a leak


def duplicates(corpus: Corpus, progress: Progress) -> dict[str, Any]:
    """Exact and near duplicates, as the texts stand and under `duplicate_key`.

    Returns:
        `exact`, `normalised`: `inside`, for each split the rows that repeat an earlier one of it; `across`,
        for validation and test the rows whose text stands in an earlier split. `near`, `near_normalised`:
        the same for different texts that are similar, as `near_duplicates` says.
    """
    as_they_stand = {name: split.texts for name, split in corpus.splits.items()}
    keys = {name: [duplicate_key(text) for text in texts] for name, texts in as_they_stand.items()}
    return {
        "exact": _exact(as_they_stand),
        "normalised": _exact(keys),
        "near": near_duplicates(corpus, as_they_stand, progress),
        "near_normalised": near_duplicates(corpus, keys, progress),
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
    return findings + _near_findings(corpus, figures["near_normalised"])


def _near_findings(corpus: Corpus, figures: dict[str, Any]) -> list[Finding]:
    """One finding for the splits together, as serious as the worst of them."""
    near = {name: rows for name, rows in figures.get("across", {}).items() if rows}
    if not near:
        return []
    sizes = {name: len(corpus.splits[name]) for name in near}
    labels = {name: figures["labels"][name] for name in near}
    status: Status = "note"
    if any(rows >= NOTABLE_NEAR * sizes[name] for name, rows in near.items()):
        status = "flaw"
    if any(one["interval"][0] >= GIVEN_AWAY for one in labels.values()):
        status = "leak"
    listed = ", ".join(
        f"{rows:,} of {sizes[name]:,} in {name} ({percent(rows / sizes[name])})"
        for name, rows in near.items()
    )
    all_near = sum(near.values())
    same, chance = (
        percent(sum(one[key] for one in labels.values()) / all_near) for key in ("same", "by_chance")
    )
    line = (
        f"rows that are nearly a text of an earlier split (Jaccard {NEAR} or more): {listed}; {same} of them "
        f"are labelled as that text is, {chance} would be by chance"
    )
    return [Finding("near duplicates", status, line, evidence={"rows": near, "labels": labels})]


def drawn_splits(corpus: Corpus) -> set[str]:
    """The splits that the suite drew itself, as the provenance tells."""
    drawn, split = corpus.provenance.get("drawn") or {}, corpus.provenance.get("split") or {}
    return {*drawn.get("splits", ()), *split.get("fractions", ())}


def _across(corpus: Corpus, split: str, rows: int, exact: int, remedies: Remedies) -> Finding:
    size = len(corpus.splits[split])
    before = "train" if split == "validation" else "train or validation"
    have = "has" if rows == 1 else "have"
    line = (
        f"{count(rows, f'{split} row')} of {size:,} ({percent(rows / size)}) {have} a text that stands in "
        f"{before} too ({exact:,} of them to the letter)"
    )
    # Splits that were given stay as they are, whatever is asked of those that are drawn.
    drawn = remedies.texts_together() if split in drawn_splits(corpus) else ()
    mends = drawn + (remedies.without_test_duplicates() if split == "test" else ())
    status: Status = "leak" if rows > NOTABLE_DUPLICATES * size else "note"
    evidence = {"rows": rows, "exact": exact, "share": round(rows / size, 5)}
    return Finding(f"shared texts {split}", status, line, (), evidence, mends)
