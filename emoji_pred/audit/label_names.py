"""Labels that are no emoji of their own, stand in several spellings, or in their own texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from emoji_pred.audit.characters import BLANK, EMOJI, INVISIBLE, LINE, MARK, SYMBOL, UNKNOWN, kind_of
from emoji_pred.audit.counting import Counts, one_hot
from emoji_pred.audit.findings import MOST_LABELS, Finding, count, percent
from emoji_pred.audit.remedies import Remedies
from emoji_pred.data.corpus import Corpus
from emoji_pred.data.labels import differ_by, spelt_alike
from emoji_pred.text import strip_invisible

STANDS_IN_TEXT = 0.05  # recall of "the text has the label's emoji" from which it is a leak
LIFT = 2.0  # times as often as in other rows
MIN_ROWS = 10
MOST_GROUPS = 4  # of labels in several spellings that a line shows
LONGEST_SPELT = 40  # characters of a name whose invisible ones are named
_HARD_TO_SEE = (BLANK, INVISIBLE, LINE, MARK, UNKNOWN)


def part_of_emoji(label: str) -> str | None:
    """What a label is where it is only a part of an emoji, else None.

    `skin tone` (U+1F3FB to U+1F3FF), `half of a flag` (a regional indicator), `invisible character`, `sign
    that joins others` (hair, a gender sign).
    """
    visible = strip_invisible(label)
    if not visible:
        return "invisible character"
    if len(visible) != 1:
        return None
    point = ord(visible)
    if 0x1F3FB <= point <= 0x1F3FF:
        return "skin tone"
    if 0x1F1E6 <= point <= 0x1F1FF:
        return "half of a flag"
    if kind_of(point) in (INVISIBLE, MARK, UNKNOWN):
        return "invisible character"
    return "sign that joins others" if point in (0x2640, 0x2642) or 0x1F9B0 <= point <= 0x1F9B3 else None


def label_parts(corpus: Corpus) -> list[dict[str, Any]]:
    """The labels that are parts of an emoji: what they are, their rows, and those whose text has another."""
    rows = _rows_of_labels(corpus)
    parts = []
    for place, label in enumerate(corpus.label_names):
        what = part_of_emoji(label)
        if what is not None:
            alone, total = rows[place]
            parts.append(
                {
                    "label": label,
                    "code_points": [f"U+{ord(character):04X}" for character in label],
                    "name": unicodedata.name(label[-1], "?") if label else "",
                    "is": what,
                    "rows": total,
                    "rows_with_other_labels": total - alone,
                }
            )
    return parts


def _rows_of_labels(corpus: Corpus) -> list[tuple[int, int]]:
    """For each label the rows whose text has no other label, and all its rows."""
    hot = np.concatenate([one_hot(split.labels, corpus.num_classes) for split in corpus.splits.values()])
    texts = [text for split in corpus.splits.values() for text in split.texts]
    ids: dict[str, int] = {}
    of = np.array([ids.setdefault(text, len(ids)) for text in texts])
    held = np.zeros((len(ids), corpus.num_classes), dtype=np.float32)
    np.maximum.at(held, of, hot)
    alone = held.sum(axis=1)[of] == 1
    return [(int(hot[alone, place].sum()), int(hot[:, place].sum())) for place in range(corpus.num_classes)]


def label_findings(corpus: Corpus, parts: list[dict[str, Any]], remedies: Remedies) -> list[Finding]:
    """Parts of emoji as classes; texts that hold the very label."""
    findings = []
    for what in dict.fromkeys(part["is"] for part in parts):
        same = [part for part in parts if part["is"] == what]
        rows, shared = (sum(part[key] for part in same) for key in ("rows", "rows_with_other_labels"))
        shown = ", ".join(f"{part['code_points'][-1]} {part['name']}" for part in same[:5])
        line = (
            f"{count(len(same), 'label is', 'labels are')} no emoji but a part of one ({what}): {shown}; of "
            f"{rows:,} rows {percent(shared / max(rows, 1))} have a text that stands with another label too"
        )
        labels = tuple(part["label"] for part in same)
        findings.append(
            Finding(f"label parts {what}", "flaw", line, labels, {"rows": rows}, remedies.whole_emoji())
        )
    return findings + _in_text(corpus)


def alike_labels(corpus: Corpus, written: Sequence[str]) -> list[dict[str, Any]]:
    """Groups of labels that are most likely one in several spellings, and the rows of each.

    Args:
        corpus: with names as a report shows them.
        written: C names as they stand in the data.

    Returns:
        For each group: labels, spelt (with what is not seen named), rows (over all splits), differ_by.
    """
    rows = np.sum([corpus.class_counts(split) for split in corpus.splits], axis=0)
    return [
        {
            "labels": [corpus.label_names[place] for place in places],
            "spelt": [_spelt(written[place], corpus.label_names[place]) for place in places],
            "rows": [int(rows[place]) for place in places],
            "differ_by": differ_by([written[place] for place in places]),
        }
        for places in spelt_alike(written)
    ]


def _spelt(written: str, shown: str) -> str:
    """A name with what is not seen in it named; a long one as it is shown."""
    if len(written) > LONGEST_SPELT:
        return f"'{shown}'"
    named = (f"⟨U+{ord(sign):04X}⟩" if kind_of(ord(sign)) in _HARD_TO_SEE else sign for sign in written)
    return "'" + "".join(named).replace("  ", " ⟨U+0020⟩") + "'"


def alike_findings(groups: Sequence[dict[str, Any]]) -> list[Finding]:
    """One flaw for all labels that stand in several spellings, with the rows of each."""
    if not groups:
        return []
    shown = "; ".join(
        " and ".join(
            f"{name} ({count(rows, 'row')})" for name, rows in zip(group["spelt"], group["rows"], strict=True)
        )
        + f" differ only by {group['differ_by']}"
        for group in groups[:MOST_GROUPS]
    )
    more = f"; and {len(groups) - MOST_GROUPS} more" if len(groups) > MOST_GROUPS else ""
    what = "a label stands" if len(groups) == 1 else f"{len(groups)} labels stand"
    line = f"{what} in several spellings, each a class of its own: {shown}{more}; write each in one way"
    labels = tuple(label for group in groups for label in group["labels"])
    return [Finding("labels alike", "flaw", line, labels, {"groups": list(groups[:MOST_LABELS])})]


def _in_text(corpus: Corpus) -> list[Finding]:
    """Texts that still hold the emoji they are labelled with; a label that is a word is content."""
    findings = []
    train = corpus.splits["train"]
    held_out = next(name for name in ("test", "validation") if name in corpus.splits)
    for place, label in enumerate(corpus.label_names):
        sign = strip_invisible(label)
        if not sign or part_of_emoji(label) or not all(kind_of(ord(c)) in (EMOJI, SYMBOL) for c in sign):
            continue
        first, second = (
            _stands(split.texts, split.labels, corpus.num_classes, place, sign)
            for split in (train, corpus.splits[held_out])
        )
        if all(_tells(counts) for counts in (first, second)):
            line = (
                f"the emoji {label} stands in {percent(float(second.recall))} of the texts labelled with it "
                f"({held_out}), where it tells the label with precision {float(second.precision):.2f}"
            )
            evidence = {
                "recall": round(float(second.recall), 4),
                "precision": round(float(second.precision), 4),
                "rows": int(second.marked),
            }
            findings.append(Finding(f"label in text {label}", "leak", line, (label,), evidence))
    return findings


def _stands(texts: list[str], labels: np.ndarray, classes: int, place: int, sign: str) -> Counts:
    marked = np.array([sign in text for text in texts])
    labelled = one_hot(labels, classes)[:, place] > 0
    return Counts(
        np.asarray((marked & labelled).sum()),
        np.asarray(marked.sum()),
        np.asarray(labelled.sum()),
        len(texts),
    )


def _tells(counts: Counts) -> bool:
    others = (counts.marked - counts.both) / max(counts.rows - int(counts.labelled), 1)
    enough = counts.both >= MIN_ROWS and counts.recall >= STANDS_IN_TEXT
    return bool(enough and counts.recall >= LIFT * others and counts.phi >= 0.1)
