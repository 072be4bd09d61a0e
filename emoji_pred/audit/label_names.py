"""Labels that are no emoji of their own, and labels whose own name stands in their texts."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np

from emoji_pred.audit.characters import EMOJI, INVISIBLE, MARK, SYMBOL, UNKNOWN, kind_of
from emoji_pred.audit.counting import Counts, one_hot
from emoji_pred.audit.findings import Finding, count, percent
from emoji_pred.audit.remedies import Remedies
from emoji_pred.data.corpus import Corpus
from emoji_pred.text import strip_invisible

STANDS_IN_TEXT = 0.05  # recall of "the text has the label's emoji" from which it is a leak
LIFT = 2.0  # times as often as in other rows
MIN_ROWS = 10


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
    """Parts of emoji as classes; names that look the same; texts that hold the very label."""
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
    return findings + _alike(corpus) + _in_text(corpus)


def _alike(corpus: Corpus) -> list[Finding]:
    looks: dict[str, list[str]] = {}
    for name in corpus.label_names:
        looks.setdefault(strip_invisible(name), []).append(name)
    groups = [names for look, names in looks.items() if look and len(names) > 1]
    if not groups:
        return []
    shown = "; ".join(
        " and ".join("+".join(f"U+{ord(c):04X}" for c in name) for name in names) for names in groups[:4]
    )
    line = f"{count(len(groups), 'group')} of labels differ only by invisible characters: {shown}"
    return [Finding("labels alike", "flaw", line, tuple(name for names in groups for name in names))]


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
