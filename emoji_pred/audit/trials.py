"""What an option would do to a leak: it is tried on the texts before it is named.

A label counts as hidden where nothing of the kind that told it tells it on the training rows any more, by a
correlation somewhat below the limit of a leak; it is then none, whatever the held-out rows are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from emoji_pred.audit.counting import Counts
from emoji_pred.audit.features import Kind, Marks, Measures
from emoji_pred.audit.findings import Remedy
from emoji_pred.audit.leaks import ALONE, NEAR_BEST, Confirmed, Features, common_cut
from emoji_pred.audit.remedies import Remedies
from emoji_pred.audit.rules import mark_counts, measure_rules
from emoji_pred.data.corpus import Corpus
from emoji_pred.text import first_words, strip_stray_invisible


@dataclass(frozen=True)
class Trial:
    """A corpus as an option would leave it.

    Attributes:
        remedy: the option.
        corpus: with the texts it would have.
    """

    remedy: Remedy
    corpus: Corpus

    @functools.cached_property
    def features(self) -> Features:
        """All but tokens."""
        return Features.of(self.corpus, tokens=False)

    @functools.cached_property
    def _with_tokens(self) -> Features:
        return Features.of(self.corpus)

    def has_mark(self, name: str) -> bool:
        """Whether training rows still have a mark."""
        return any(mark.name == name for mark in self.features.marks["train"].marks)

    def hides(self, kind: Kind, label: int) -> bool:
        """Whether nothing of a kind alone tells a label of the training rows any more."""
        features = self._with_tokens if kind == "token" else self.features
        hot = features.hot["train"][:, [label]]
        by_marks = _strongest_mark(features.marks["train"], kind, hot)
        return max(by_marks, _strongest_measure(features.measures["train"], kind, hot)) < ALONE - NEAR_BEST


class Trials:
    """The options that may mend leaks among features, each tried once, when it is asked for.

    Args:
        corpus: as it was audited.
        rules: those that were confirmed.
        remedies: that the dataset has.
    """

    def __init__(self, corpus: Corpus, rules: Sequence[Confirmed], remedies: Remedies) -> None:
        self._corpus, self._rules, self.remedies = corpus, rules, remedies

    @functools.cached_property
    def all(self) -> tuple[Trial, ...]:
        """Cleaning, and one cut for all labels that a length tells."""
        told = [one.rule.label for one in self._rules if one.rule.kind == "length" and one.status == "leak"]
        most = common_cut(self._corpus, list(dict.fromkeys(told)))
        cuts = self.remedies.first_words(most)
        return self.cleaned + tuple(
            self._trial(one, lambda text: first_words(text, most or 0)) for one in cuts
        )

    @functools.cached_property
    def cleaned(self) -> tuple[Trial, ...]:
        """Cleaning; none where it was done already."""
        return tuple(self._trial(one, strip_stray_invisible) for one in self.remedies.without_invisible())

    def without_mark(self, name: str) -> tuple[Remedy, ...]:
        """What removes a hidden character."""
        return tuple(trial.remedy for trial in self.cleaned if not trial.has_mark(name))

    def that_hide(self, kind: Kind, label: int) -> tuple[Remedy, ...]:
        """What takes away all features of a kind that alone tell a label."""
        mends = tuple(trial.remedy for trial in self.all if trial.hides(kind, label))
        return mends + self.remedies.without_neutral(self._corpus.label_names[label])

    def _trial(self, remedy: Remedy, change: Callable[[str], str]) -> Trial:
        splits = {
            name: replace(split, texts=[change(text) for text in split.texts])
            for name, split in self._corpus.splits.items()
        }
        return Trial(remedy, replace(self._corpus, splits=splits))


def _strongest_mark(marks: Marks, kind: Kind, hot: np.ndarray) -> float:
    """The highest phi of having or lacking a mark of a kind; `hot` is (N, 1)."""
    places = [place for place, mark in enumerate(marks.marks) if mark.kind == kind]
    if not places:
        return 0.0
    has = mark_counts(Marks([marks.marks[place] for place in places], marks.matrix[:, places]), hot)
    return float(max(has.phi.max(), has.without().phi.max()))


def _strongest_measure(measures: Measures, kind: Kind, hot: np.ndarray) -> float:
    """The highest phi of a range of a measure of a kind; `hot` is (N, 1)."""
    columns = [place for place, one in enumerate(measures.kinds) if one == kind]
    if not columns:
        return 0.0
    chosen = Measures(
        [measures.names[column] for column in columns], [kind] * len(columns), measures.values[:, columns]
    )
    none, labelled = Marks([], np.zeros((len(hot), 0))), hot[:, 0] > 0
    held = [rule.holds(none, chosen) for rule in measure_rules(chosen, hot)]
    counts = (
        Counts(
            np.asarray((one & labelled).sum()), np.asarray(one.sum()), np.asarray(labelled.sum()), len(hot)
        )
        for one in held
    )
    return max((float(one.phi) for one in counts), default=0.0)
