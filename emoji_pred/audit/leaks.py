"""Which features alone tell a label, and when that is a leak.

Three things must hold before a rule counts. It is no chance on the training rows: Fisher's exact test, its p
times the number of all features and labels that were tried. It is no chance on held-out rows, where it is
tried as it was found: p times the number of rules that are tried there. And on both it is strong; how
strong it must be follows from what it reads:

- What no reader sees (invisible characters that belong to no emoji or word, unusual blanks) has no business
  with a label: a correlation of `HIDDEN` is a leak.
- What is seen but not read (lengths, punctuation, digits, links, scripts, tokens that are no words, the
  place in the file) leans to some label in any honest dataset, as question marks do to a thinking face. It is
  a leak where it does the work alone: a correlation of `ALONE`. From `LEANS` on it is shown as a note.
- Words, hashtags and emoji are content. They are shown, and never a leak.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emoji_pred.audit.characters import Characters
from emoji_pred.audit.counting import Counts, one_hot
from emoji_pred.audit.features import Marks, MarkVocabulary, Measures, lengths, measures
from emoji_pred.audit.findings import Status
from emoji_pred.audit.rules import Rule, mark_counts, mark_rules, measure_rules, tried
from emoji_pred.data.corpus import Corpus
from emoji_pred.text import first_words

HIDDEN, ALONE, LEANS = 0.1, 0.5, 0.25  # phi, on training and on held-out rows
CHANCE = 0.01  # of one false alarm in the whole audit, on training rows, and again on held-out ones
LEAST_LIFT, USEFUL_LIFT = 1.5, 3.0  # precision over the label's share
LEAST_LABELLED = 10  # held-out rows of a label below which nothing is confirmed there
MOST_WORDS = 20  # words shown
NEAR_BEST = 0.05  # of phi: among rules as good as the best, the plainest is named
# Words, tried in this order.
CUTS = (200, 150, 100, 80, 60, 50, 40, 35, 30, 25, 20, 18, 15, 12, 10, 8, 6, 5, 4, 3)


@dataclass(frozen=True)
class Features:
    """All features of every split, and the labels.

    Attributes:
        marks, measures: by split.
        hot: by split, (N, C).
    """

    marks: dict[str, Marks]
    measures: dict[str, Measures]
    hot: dict[str, np.ndarray]

    @classmethod
    def of(cls, corpus: Corpus, tokens: bool = True) -> Features:
        """The features of a corpus, its vocabulary of the training rows; tokens take most of the time."""
        characters = {name: Characters.of(split.texts) for name, split in corpus.splits.items()}
        vocabulary = MarkVocabulary(corpus.splits["train"].texts, characters["train"], tokens)
        return cls(
            marks={
                name: vocabulary.find(split.texts, characters[name]) for name, split in corpus.splits.items()
            },
            measures={name: measures(split.texts, characters[name]) for name, split in corpus.splits.items()},
            hot={name: one_hot(split.labels, corpus.num_classes) for name, split in corpus.splits.items()},
        )


@dataclass(frozen=True)
class Confirmed:
    """A rule that holds on rows that had no part in finding it.

    Attributes:
        rule: found on the training rows.
        on: its counts on each split.
        split: the held-out split where it is strongest.
    """

    rule: Rule
    on: Mapping[str, Counts]
    split: str

    @property
    def strength(self) -> float:
        """Phi on training or held-out rows, whichever is lower."""
        return min(float(self.on["train"].phi), float(self.on[self.split].phi))

    @property
    def status(self) -> Status | None:
        """What it counts as; None: too weak to be mentioned."""
        kind, strength = self.rule.kind, self.strength
        if self.is_hidden and self.rule.has and strength >= HIDDEN:
            return "leak"
        if kind != "word" and strength >= ALONE:
            return "flaw" if kind == "position" else "leak"
        return "note" if strength >= LEANS and self._is_of_use else None

    @property
    def _is_of_use(self) -> bool:
        """It is right half the time, or three times as often as chance: no shadow of another label's rule."""
        counts = self.on[self.split]
        share = float(counts.labelled) / counts.rows
        return (
            float(counts.precision) >= max(0.5, 1.5 * share) or float(counts.precision) >= USEFUL_LIFT * share
        )

    @property
    def is_hidden(self) -> bool:
        """It reads a character that no reader sees."""
        return self.rule.kind in ("invisible", "blank")

    def plain(self, names: Sequence[str]) -> dict[str, Any]:
        """As JSON values."""
        return {
            "rule": self.rule.words(),
            "kind": self.rule.kind,
            "label": names[self.rule.label],
            "confirmed_on": self.split,
            "splits": {name: _figures(counts) for name, counts in self.on.items()},
        }


def _figures(counts: Counts) -> dict[str, Any]:
    entropy = float(counts.entropy)
    return {
        "rows": int(counts.marked),
        "precision": round(float(counts.precision), 4),
        "recall": round(float(counts.recall), 4),
        "phi": round(float(counts.phi), 4),
        "mutual_information_bits": round(float(counts.information), 5),
        "share_of_label_entropy": round(float(counts.information) / entropy, 4) if entropy > 0 else 0.0,
    }


def confirmed_rules(corpus: Corpus, features: Features) -> tuple[list[Confirmed], dict[str, Any]]:
    """The rules that hold on held-out rows, the strongest first, and how many were tried."""
    rules, asked = _candidates(features)
    held_out = [name for name in corpus.splits if name != "train"]
    found = []
    for rule in rules:
        on = {
            name: tried(rule, features.marks[name], features.measures[name], split.labels)
            for name, split in corpus.splits.items()
        }
        if rule.is_measure and float(on["train"].chance()) * asked > CHANCE:
            continue
        splits = [name for name in held_out if _holds(on[name], len(rules) * len(held_out))]
        if splits:
            found.append(Confirmed(rule, on, _shown_on(splits, on)))
    found.sort(key=lambda one: -one.strength)
    return found, {
        "features_and_labels": asked,
        "tried_on_held_out_rows": len(rules),
        "confirmed": len(found),
    }


def _shown_on(splits: Sequence[str], on: Mapping[str, Counts]) -> str:
    """The split that speaks for a rule: test where it holds about as well as in the best one."""
    best = max(float(on[name].phi) for name in splits)
    return next(name for name in reversed(splits) if float(on[name].phi) >= best - NEAR_BEST)


def _candidates(features: Features) -> tuple[list[Rule], int]:
    """The rules that are no chance on the training rows and not too weak; how many there were at all."""
    marks, hot = features.marks["train"], features.hot["train"]
    has = mark_counts(marks, hot)
    lacks = has.without()
    hidden = np.array([mark.kind in ("invisible", "blank") for mark in marks.marks], dtype=bool)[:, None]
    ranges = measure_rules(features.measures["train"], hot)
    # Each range is the best of many, which held-out rows have to confirm; here it is counted as one.
    asked = 2 * has.both.size + len(ranges)
    rules: list[Rule] = []
    for counts, wanted in ((has, True), (lacks, False)):
        strong = counts.phi >= (np.where(hidden, HIDDEN, LEANS) if wanted else ALONE)
        mark, label = np.nonzero(strong)
        cells = Counts(counts.both[strong], counts.marked[mark, 0], counts.labelled[0, label], counts.rows)
        sure = cells.chance() * asked <= CHANCE
        rules += mark_rules(marks, mark[sure], label[sure], wanted)
    return rules + ranges, asked


def _holds(counts: Counts, tests: int) -> bool:
    if int(counts.labelled) < LEAST_LABELLED or float(counts.phi) <= 0:
        return False
    return float(counts.chance()) * tests <= CHANCE


def cut_that_hides(corpus: Corpus, label: int, longest: int = CUTS[0]) -> int | None:
    """The most words to which the training texts can be cut so that no length tells the label any more.

    None where no cut does, of `longest` words at most.
    """
    train = corpus.splits["train"]
    hot = one_hot(train.labels, corpus.num_classes)[:, [label]]
    for most in (cut for cut in CUTS if cut <= longest):
        texts = [first_words(text, most) for text in train.texts]
        chosen = lengths(texts, Characters.of(texts))
        none = Marks([], np.zeros((len(texts), 0)))
        found = (tried(rule, none, chosen, train.labels) for rule in _for(measure_rules(chosen, hot), label))
        if all(float(counts.phi) < ALONE - NEAR_BEST for counts in found):
            return most
    return None


def common_cut(corpus: Corpus, labels: Sequence[int]) -> int | None:
    """One cut for all labels that a cut hides: the longest at which none of them is told by a length."""
    longest = CUTS[0]
    while cuts := [cut for label in labels if (cut := cut_that_hides(corpus, label, longest)) is not None]:
        if min(cuts) == max(cuts):
            return cuts[0]
        longest = min(cuts)
    return None


def _for(rules: Sequence[Rule], label: int) -> list[Rule]:
    """Rules that were found with one column of labels, for that label."""
    return [Rule(rule.kind, rule.name, label, rule.column, low=rule.low, high=rule.high) for rule in rules]


def telling_words(corpus: Corpus, rules: Sequence[Confirmed]) -> list[dict[str, Any]]:
    """The words that tell most: content, shown so that a reader can judge."""
    words = [one for one in rules if one.rule.kind == "word" and one.rule.has]
    return [one.plain(corpus.label_names) for one in words[:MOST_WORDS]]
