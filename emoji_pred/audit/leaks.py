"""Which features alone tell a label, and when that is a leak.

Three things must hold before a rule counts. It is no chance on the training rows: Fisher's exact test, its p
times the number of all features and labels that were tried. It is no chance on held-out rows, where it is
tried as it was found, on each split and on all of them together: p times the number of such trials, counted
apart for what no reader sees, which else were lost among thousands of words. And on both it is strong; how
strong it must be follows from what it reads:

- What no reader sees (invisible characters that belong to no emoji or word, unusual blanks) has no business
  with a label: a correlation of `HIDDEN` is a leak.
- What is seen but not read (lengths, punctuation, digits, links, scripts, tokens that are no words, the
  place in the file) leans to some label in any honest dataset, as question marks do to a thinking face. It is
  a leak where it does the work alone: a correlation of `ALONE`. From `LEANS` on it is shown as a note.
- Words, hashtags and emoji are content. They are shown, and never a leak; their limits stand in
  `leak_verdicts`.
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
from emoji_pred.audit.rules import HIDDEN_KINDS, Rule, mark_counts, mark_rules, measure_rules, tried
from emoji_pred.data.corpus import Corpus
from emoji_pred.text import first_words

HIDDEN, ALONE, LEANS = 0.1, 0.5, 0.25  # phi, on training and on held-out rows
CHANCE = 0.01  # of one false alarm in the whole audit, on training rows, and again on held-out ones
LEAST_LIFT, USEFUL_LIFT = 1.5, 3.0  # precision over the label's share
LEAST_LABELLED = 10  # held-out rows of a label below which nothing is confirmed there
MOST_WORDS = 20  # shown
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
        on: its counts on each split, and on `split`.
        splits: the held-out split where it is strongest; all of them where only all together confirm it.
    """

    rule: Rule
    on: Mapping[str, Counts]
    splits: tuple[str, ...]

    @property
    def split(self) -> str:
        """The held-out rows that speak for it: `test`, or `validation and test`."""
        return " and ".join(self.splits)

    @property
    def strength(self) -> float:
        """Phi on training or held-out rows, whichever is lower."""
        return min(float(self.on["train"].phi), float(self.on[self.split].phi))

    @property
    def status(self) -> Status | None:
        """What it counts as; None: too weak to be mentioned."""
        kind, strength = self.rule.kind, self.strength
        if self.rule.is_hidden and self.rule.has and strength >= HIDDEN:
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


@dataclass(frozen=True)
class Unconfirmed:
    """A hidden mark that is no chance on the training rows, and that held-out rows do not confirm.

    Attributes:
        rule: found on the training rows.
        train: its counts there.
        held_out: its counts on all other rows.
    """

    rule: Rule
    train: Counts
    held_out: Counts


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


def confirmed_rules(
    corpus: Corpus, features: Features
) -> tuple[list[Confirmed], list[Unconfirmed], dict[str, Any]]:
    """Which rules hold on held-out rows.

    Returns:
        Those that do, the strongest first; hidden marks that do not, but are certain on the training rows and
        would be leaks; how many were tried.
    """
    candidates, asked = _candidates(corpus, features)
    held_out = [name for name in corpus.splits if name != "train"]
    tests = _trials(candidates, len(held_out))
    found: list[Confirmed] = []
    doubtful: list[Unconfirmed] = []
    for rule, on_train in candidates:
        on = {"train": on_train} | {name: _on(rule, corpus, features, name) for name in held_out}
        splits = _confirming(on, held_out, tests[rule.is_hidden])
        if splits:
            whole = {" and ".join(splits): _together([on[name] for name in splits])}
            found.append(Confirmed(rule, on | whole, splits))
        elif rule.is_hidden and rule.has:
            doubtful.append(Unconfirmed(rule, on_train, _together([on[name] for name in held_out])))
    found.sort(key=lambda one: -one.strength)
    return (
        found,
        doubtful,
        {
            "features_and_labels": asked,
            "tried_on_held_out_rows": len(candidates),
            "confirmed": len(found),
        },
    )


def _on(rule: Rule, corpus: Corpus, features: Features, split: str) -> Counts:
    return tried(rule, features.marks[split], features.measures[split], corpus.splits[split].labels)


def _trials(candidates: Sequence[tuple[Rule, Counts]], held_out: int) -> dict[bool, int]:
    """The trials on held-out rows that p is multiplied by: of hidden marks (True), of everything else.

    Of the one false alarm in a hundred audits, each has a half.
    """
    looks = held_out + (held_out > 1)  # each split, and all together
    hidden = sum(rule.is_hidden for rule, _ in candidates)
    return {True: 2 * looks * hidden, False: 2 * looks * (len(candidates) - hidden)}


def _confirming(on: Mapping[str, Counts], held_out: Sequence[str], tests: int) -> tuple[str, ...]:
    """The held-out split that confirms a rule, or all of them; none."""
    alone = [name for name in held_out if _holds(on[name], tests)]
    if alone:
        return (_shown_on(alone, on),)
    together = len(held_out) > 1 and _holds(_together([on[name] for name in held_out]), tests)
    return tuple(held_out) if together else ()


def _together(parts: Sequence[Counts]) -> Counts:
    both, marked, labelled = (
        np.asarray(sum(int(getattr(part, name)) for part in parts)) for name in ("both", "marked", "labelled")
    )
    return Counts(both, marked, labelled, sum(part.rows for part in parts))


def _shown_on(splits: Sequence[str], on: Mapping[str, Counts]) -> str:
    """The split that speaks for a rule: test where it holds about as well as in the best one."""
    best = max(float(on[name].phi) for name in splits)
    return next(name for name in reversed(splits) if float(on[name].phi) >= best - NEAR_BEST)


def _candidates(corpus: Corpus, features: Features) -> tuple[list[tuple[Rule, Counts]], int]:
    """The rules that are no chance on the training rows and not too weak, with their counts; of how many."""
    marks, hot = features.marks["train"], features.hot["train"]
    has = mark_counts(marks, hot)
    lacks = has.without()
    hidden = np.array([mark.kind in HIDDEN_KINDS for mark in marks.marks], dtype=bool)[:, None]
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
    counted = ((rule, _on(rule, corpus, features, "train")) for rule in [*rules, *ranges])
    return [(rule, on) for rule, on in counted if float(on.chance()) * asked <= CHANCE], asked


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
