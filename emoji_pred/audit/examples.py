"""Texts that show a finding: only where they are asked for, short, masked, and never in the JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emoji_pred.audit.characters import BLANK, INVISIBLE, LINE, UNKNOWN, kind_of
from emoji_pred.audit.leaks import Confirmed, Features
from emoji_pred.data.corpus import Corpus
from emoji_pred.telegram.privacy import mask_text
from emoji_pred.text import duplicate_key

LONGEST = 90  # characters shown of a text
MASKED_CHARS = 2_000  # of a text that are looked at
MOST_RULES = 12


@dataclass(frozen=True)
class Example:
    """Texts of one finding, each with its labels."""

    about: str
    texts: tuple[tuple[str, str], ...]


def shown(text: str) -> str:
    """A text as a report may show it: handles, links and numbers masked, cut, the invisible named."""
    masked = mask_text(text[:MASKED_CHARS])
    short = masked[:LONGEST] + ("…" if len(masked) > LONGEST else "")
    return "".join(map(_visible, short))


def _visible(character: str) -> str:
    kind = kind_of(ord(character))
    if kind == LINE:
        return " ⏎ "
    return f"⟨U+{ord(character):04X}⟩" if kind in (INVISIBLE, BLANK, UNKNOWN) else character


def examples(
    corpus: Corpus, features: Features, rules: Sequence[Confirmed], number: int, seed: int = 0
) -> list[Example]:
    """For the strongest rules, shared texts and conflicting ones: so many texts of each, drawn at random."""
    rng = np.random.default_rng(seed)
    found = []
    for one in [one for one in rules if one.status in ("leak", "flaw")][:MOST_RULES]:
        texts: list[tuple[str, str]] = []
        for name in one.splits:
            holds = one.rule.holds(features.marks[name], features.measures[name])
            rows = np.flatnonzero(holds & (features.hot[name][:, one.rule.label] > 0))
            texts += _drawn(corpus, name, rows, number - len(texts), rng)
        found.append(Example(f"{one.rule.words()}: {corpus.label_names[one.rule.label]}", tuple(texts)))
    train = {duplicate_key(text) for text in corpus.splits["train"].texts}
    for name, split in corpus.splits.items():
        if name != "train":
            rows = np.array(
                [row for row, text in enumerate(split.texts) if duplicate_key(text) in train], dtype=int
            )
            found.append(
                Example(f"{name} texts that stand in train", _drawn(corpus, name, rows, number, rng))
            )
    return [example for example in found if example.texts]


def _drawn(
    corpus: Corpus, split: str, rows: np.ndarray, number: int, rng: np.random.Generator
) -> tuple[tuple[str, str], ...]:
    chosen = rng.permutation(rows)[:number].tolist()
    part = corpus.splits[split]
    return tuple((shown(part.texts[row]), _labels(corpus, part.labels[row])) for row in chosen)


def _labels(corpus: Corpus, label: np.ndarray) -> str:
    if corpus.task == "multiclass":
        return corpus.label_names[int(label)]
    return ", ".join(name for name, has in zip(corpus.label_names, label.tolist(), strict=True) if has)
