"""Clusters of similar labels: which classes are trained as one (`data.clusters`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from emoji_pred.data.corpus import Corpus
from emoji_pred.errors import UserError, did_you_mean
from emoji_pred.text import strip_invisible


def cluster_labels(corpus: Corpus, groups: Sequence[Sequence[str]]) -> Corpus:
    """Note in the corpus which classes are trained as one; texts and labels stay as they are.

    Paturyla and Belopolskikh 2024, conclusion: "cluster similar emojis before training", and answer with the
    emoji of a cluster by their frequency. Training and answers are in `cluster_answers`; metrics are those of
    the original labels, so that runs with and without clusters compare.

    Args:
        corpus: one label per text.
        groups: label names that belong together; a class that is in none stays alone. An emoji may be written
            with or without U+FE0F.

    Raises:
        UserError: an unknown label, one that stands in two groups, a group of one, or nothing left to tell
            apart.
    """
    if corpus.task != "multiclass":
        raise UserError(f"data.clusters is for one label per text, but data={corpus.name} has several")
    leader = list(range(corpus.num_classes))  # of each class, the first class of its cluster
    grouped: set[int] = set()
    for group in groups:
        members = sorted(_index(corpus, label) for label in group)
        doubled = [
            index for place, index in enumerate(members) if index in grouped or index in members[:place]
        ]
        if doubled:
            raise UserError(f"data.clusters: label {corpus.label_names[doubled[0]]!r} stands twice")
        if len(members) < 2:
            raise UserError(f"data.clusters: a group of one, {list(group)}, changes nothing; take it out")
        grouped.update(members)
        for index in members:
            leader[index] = members[0]
    number = {index: place for place, index in enumerate(sorted(set(leader)))}
    if len(number) < 2:
        raise UserError("data.clusters puts all labels into one cluster; two or more are needed")
    clusters = tuple(number[index] for index in leader)
    names = [[corpus.label_names[i] for i, own in enumerate(clusters) if own == k] for k in number.values()]
    provenance = {**corpus.provenance, "clusters": [group for group in names if len(group) > 1]}
    return replace(corpus, clusters=clusters, provenance=provenance)


def _index(corpus: Corpus, label: str) -> int:
    """The class of a label as a user writes it."""
    if label in corpus.label_names:
        return corpus.label_names.index(label)
    bare = [strip_invisible(name) for name in corpus.label_names]
    if bare.count(strip_invisible(label)) == 1:
        return bare.index(strip_invisible(label))
    raise UserError(
        f"data.clusters: {label!r} is no label of data={corpus.name}{did_you_mean(label, corpus.label_names)}"
    )
