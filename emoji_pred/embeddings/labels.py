"""What is known of each label of a run: how it is drawn, its training rows, F1, cluster and neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

EMOJI_STYLE = "\ufe0f"  # asks for the coloured form of a character that has a plain one too
LONGEST_WORD = 16


@dataclass(frozen=True)
class Label:
    """One class.

    Attributes:
        label: as the run calls it.
        shown: as it is drawn: a coloured emoji, or a word that is not too long.
        name: in English where it is an emoji, else the label.
        is_emoji: whether `shown` is one glyph.
        rows: training rows of the class; None where the run does not say.
        f1: on the test rows, or on the validation rows of a run without a test; None where it is not known.
        cluster: of k-means.
        near: (label as drawn, cosine), the nearest first.
    """

    label: str
    shown: str
    name: str
    is_emoji: bool
    rows: int | None
    f1: float | None
    cluster: int
    near: tuple[tuple[str, float], ...]


def describe(
    names: Sequence[str],
    result: Mapping[str, Any],
    clusters: np.ndarray,
    near: Sequence[Sequence[tuple[int, float]]],
) -> list[Label]:
    """Put together what the run's result says of its classes, in their order."""
    rows = (result.get("provenance") or {}).get("class_counts") or [None] * len(names)
    per_class = (result.get(judged_split(result)) or {}).get("per_class") or [{}] * len(names)
    drawn = [_drawn(name) for name in names]
    return [
        Label(
            label=name,
            shown=shown,
            name=english,
            is_emoji=is_emoji,
            rows=rows[place],
            f1=per_class[place].get("f1"),
            cluster=int(clusters[place]),
            near=tuple((drawn[other][0], cosine) for other, cosine in near[place]),
        )
        for place, (name, (shown, english, is_emoji)) in enumerate(zip(names, drawn, strict=True))
    ]


def judged_split(result: Mapping[str, Any]) -> str:
    """The split whose F1 is shown."""
    return "test" if result.get("test") else "validation"


def members(labels: Sequence[Label]) -> list[list[Label]]:
    """The labels of each cluster, by its number."""
    return [[one for one in labels if one.cluster == number] for number in _numbers(labels)]


def _numbers(labels: Sequence[Label]) -> range:
    return range(max(one.cluster for one in labels) + 1)


def _drawn(label: str) -> tuple[str, str, bool]:
    """How a label is drawn, its English name, and whether it is one emoji."""
    import emoji

    for shown in (label + EMOJI_STYLE, label, label.removesuffix(EMOJI_STYLE)):
        if emoji.is_emoji(shown):
            name = emoji.demojize(shown, delimiters=("", "")).replace("_", " ")
            return shown, name, True
    word = " ".join(label.split()) or "(blank)"
    return (word if len(word) <= LONGEST_WORD else word[: LONGEST_WORD - 1] + "…"), word, False
