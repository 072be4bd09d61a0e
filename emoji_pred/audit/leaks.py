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
from emoji_pred.audit.findings import Finding, Status, count
from emoji_pred.audit.remedies import Remedies
from emoji_pred.audit.rules import Rule, mark_counts, mark_rules, measure_rules, tried
from emoji_pred.data.corpus import Corpus

HIDDEN, ALONE, LEANS = 0.1, 0.5, 0.25  # phi, on training and on held-out rows
CHANCE = 0.01  # of one false alarm in the whole audit, on training rows, and again on held-out ones
LEAST_LIFT, USEFUL_LIFT = 1.5, 3.0  # precision over the label's share
LEAST_LABELLED = 10  # held-out rows of a label below which nothing is confirmed there
MOST_WORDS = 20  # words shown
SHOWN_BESIDE = 5  # further rules named in a verdict
NEAR_BEST = 0.05  # of phi: among rules as good as the best, the plainest is named
_PLAINEST = ("words", "characters", "lines")


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
    def of(cls, corpus: Corpus) -> Features:
        """The features of a corpus, its vocabulary of the training rows."""
        characters = {name: Characters.of(split.texts) for name, split in corpus.splits.items()}
        vocabulary = MarkVocabulary(corpus.splits["train"].texts, characters["train"])
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
        if kind in ("invisible", "blank") and self.rule.has and strength >= HIDDEN:
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


def leak_findings(corpus: Corpus, rules: Sequence[Confirmed], remedies: Remedies) -> list[Finding]:
    """One finding for each hidden character, and for each label and kind of feature that is seen."""
    groups: dict[str, list[Confirmed]] = {}
    for one in rules:
        if one.status is not None and one.rule.kind != "word":
            hidden = one.rule.kind in ("invisible", "blank") and one.rule.has
            about = one.rule.name if hidden else f"{one.rule.kind} {one.rule.label}"
            groups.setdefault(about, []).append(one)
    findings = []
    for group in groups.values():
        hidden = group[0].rule.kind in ("invisible", "blank") and group[0].rule.has
        findings.append(_hidden(corpus, group, remedies) if hidden else _seen(corpus, group, remedies))
    return findings


def _hidden(corpus: Corpus, group: list[Confirmed], remedies: Remedies) -> Finding:
    rule = group[0].rule
    told = ", ".join(
        f"{corpus.label_names[one.rule.label]} (precision {float(one.on[one.split].precision):.2f}, "
        f"recall {float(one.on[one.split].recall):.2f})"
        for one in group
    )
    split = group[0].split
    rows = int(group[0].on[split].marked)
    line = f"{rule.name}, which no reader sees, tells {told}; {split}, {count(rows, 'row')}"
    code = next(word for word in rule.name.split() if word.startswith("U+"))
    labels = tuple(corpus.label_names[one.rule.label] for one in group)
    evidence = {"rules": [one.plain(corpus.label_names) for one in group]}
    return Finding(
        f"{rule.kind} {code}", group[0].status or "note", line, labels, evidence, remedies.without_invisible()
    )


def _seen(corpus: Corpus, group: list[Confirmed], remedies: Remedies) -> Finding:
    first = _plainest(group)
    label, counts = corpus.label_names[first.rule.label], first.on[first.split]
    beside = [one.rule.words() for one in group if one is not first][:SHOWN_BESIDE]
    does = "alone tells" if first.status != "note" else "leans to"
    line = (
        f"{first.rule.words()} {does} {label}: precision {float(counts.precision):.2f}, recall "
        f"{float(counts.recall):.2f} ({first.split}, {count(int(counts.marked), 'row')})"
    )
    line += f"; so do {', '.join(beside)}" if beside else ""
    mends = remedies.without_neutral(label) if first.status == "leak" else ()
    if first.rule.kind == "length" and first.status == "leak":
        mends = remedies.first_words(cut_that_hides(corpus, first.rule.label)) + mends
    evidence = {
        "rules": [one.plain(corpus.label_names) for one in [first, *(o for o in group if o is not first)][:8]]
    }
    return Finding(f"{first.rule.kind} {label}", first.status or "note", line, (label,), evidence, mends)


def _plainest(group: Sequence[Confirmed]) -> Confirmed:
    best = max(one.strength for one in group)
    good = [one for one in group if one.strength >= best - NEAR_BEST]
    places = {name: place for place, name in enumerate(_PLAINEST)}
    return min(good, key=lambda one: (places.get(one.rule.name, len(places)), -one.strength))


def cut_that_hides(corpus: Corpus, label: int) -> int | None:
    """The most words to which the training texts can be cut so that no length tells the label any more."""
    train = corpus.splits["train"]
    hot = one_hot(train.labels, corpus.num_classes)[:, [label]]
    words = [text.split() for text in train.texts]
    for most in (200, 150, 100, 80, 60, 50, 40, 35, 30, 25, 20, 18, 15, 12, 10, 8, 6, 5, 4, 3):
        texts = [" ".join(text[:most]) for text in words]
        chosen = lengths(texts, Characters.of(texts))
        none = Marks([], np.zeros((len(texts), 0)))
        found = (tried(rule, none, chosen, train.labels) for rule in _for(measure_rules(chosen, hot), label))
        if all(float(counts.phi) < ALONE - NEAR_BEST for counts in found):
            return most
    return None


def _for(rules: Sequence[Rule], label: int) -> list[Rule]:
    """Rules that were found with one column of labels, for that label."""
    return [Rule(rule.kind, rule.name, label, rule.column, low=rule.low, high=rule.high) for rule in rules]


def telling_words(corpus: Corpus, rules: Sequence[Confirmed]) -> list[dict[str, Any]]:
    """The words that tell most: content, shown so that a reader can judge."""
    words = [one for one in rules if one.rule.kind == "word" and one.rule.has]
    return [one.plain(corpus.label_names) for one in words[:MOST_WORDS]]
