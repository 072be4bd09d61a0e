"""How far a classifier gets that sees no word: a shallow tree on lengths, signs and invisible characters.

Its score is the share of the labels' entropy that it explains on held-out rows, against the training shares
of the classes: 0 for what the majority baseline knows, 1 for all there is to know. Unlike accuracy it also
counts where a class is told that is not the largest. Beside it stand the metrics that runs are read by, of
the tree and of answers that never change.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emoji_pred.audit.features import Marks
from emoji_pred.audit.findings import Finding, Remedy, percent
from emoji_pred.audit.leaks import LEAST_LABELLED, Features
from emoji_pred.audit.trials import Trials
from emoji_pred.data.corpus import Corpus
from emoji_pred.decision import HALF, choose
from emoji_pred.multilabel_metrics import constant_answers, macro_f1, micro_f1

KNOWS_TOO_MUCH = 0.10  # share of the labels' entropy, lower end of the interval
KNOWS_A_LABEL = 0.35  # likewise, of one label's
DEPTH, LEAST_LEAF, LEAF_SHARE = 6, 25, 0.002
# A leaf's shares count as if so many rows of the training shares lay in it too: one for each class, or these.
PRIOR_ROWS = 20
Z = 1.96
MOST_MARKS = 150  # the most frequent
IMPORTANT = 5
MOST_LABELS = 100  # that are kept, the best told first
# What the answers of the tree are called, of several labels a row.
ABOVE_HALF, TUNED = "tree, above 0.5", "tree, thresholds of training"


def surface_scores(corpus: Corpus, features: Features) -> dict[str, Any] | None:
    """Fit on train, score on every other split.

    Returns:
        features (how many), most_important (names), and for each held-out split: explained (share of the
        labels' entropy) and its 95 % interval, accuracy and macro F1 (one label a row) with those of the
        majority, or `answers` (several, see `_answers`), and `labels`, the share explained of each label's
        own entropy. None where the training labels never vary.
    """
    from sklearn.tree import DecisionTreeClassifier

    names, columns = _names(features)
    train = features.hot["train"]
    if len(np.unique(train, axis=0)) < 2 or not names:
        return None
    table = {name: _table(features, name, columns) for name in corpus.splits}
    leaf = max(LEAST_LEAF, int(LEAF_SHARE * len(train)))
    tree = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=leaf, random_state=0)
    target = corpus.splits["train"].labels
    tree.fit(table["train"], target)
    shares = _leaf_shares(tree.apply(table["train"]), train)
    prior = train.mean(axis=0)
    found = {name: _found(tree.apply(rows), shares) for name, rows in table.items()}
    scores = {}
    for name in corpus.splits:
        if name != "train":
            scores[name] = _score(found[name], prior, features.hot[name], corpus)
            if corpus.task == "multilabel":
                scores[name]["answers"] = _answers(found["train"], train, found[name], features.hot[name])
    order = np.argsort(-tree.feature_importances_)[:IMPORTANT]
    important = [names[place] for place in order.tolist() if tree.feature_importances_[place] > 0.02]
    return {
        "model": "decision tree",
        "depth": DEPTH,
        "features": len(names),
        "most_important": important,
        "splits": scores,
    }


def _names(features: Features) -> tuple[list[str], list[int]]:
    """Names of all columns, and which marks are among them: signs, blanks and what is invisible."""
    marks: Marks = features.marks["train"]
    seen = np.asarray(marks.matrix.sum(axis=0)).ravel() if marks.marks else np.zeros(0)
    signs = [place for place, mark in enumerate(marks.marks) if mark.kind in ("invisible", "blank", "sign")]
    signs = sorted(signs, key=lambda place: (-seen[place], place))[:MOST_MARKS]
    measures = features.measures["train"]
    named = [name for name, kind in zip(measures.names, measures.kinds, strict=True) if kind != "position"]
    return named + [marks.marks[place].name for place in signs], signs


def _table(features: Features, split: str, columns: list[int]) -> np.ndarray:
    measures = features.measures[split]
    kept = [place for place, kind in enumerate(measures.kinds) if kind != "position"]
    return np.concatenate(
        [measures.values[:, kept], features.marks[split].matrix[:, columns].toarray()], axis=1
    )


def _leaf_shares(leaves: np.ndarray, hot: np.ndarray) -> dict[int, np.ndarray]:
    """Leaf -> (C,) shares of the labels in it, drawn towards those of all rows."""
    prior, more = hot.mean(axis=0), max(PRIOR_ROWS, hot.shape[1])
    shares = {}
    for leaf in np.unique(leaves).tolist():
        rows = hot[leaves == leaf]
        shares[leaf] = (rows.sum(axis=0) + more * prior) / (len(rows) + more)
    return shares


def _found(leaves: np.ndarray, shares: dict[int, np.ndarray]) -> np.ndarray:
    return np.stack([shares[leaf] for leaf in leaves.tolist()])


def _answers(
    of_train: np.ndarray, train: np.ndarray, found: np.ndarray, hot: np.ndarray
) -> dict[str, dict[str, float]]:
    """Macro F1, micro F1 and exact match of several labels a row: of the tree and of constant answers.

    The tree's labels are those above 0.5, as suits exact match, and those above the threshold of each label
    with the best F1 on the training rows.

    Args:
        of_train, found: (N, C) shares of the labels that the tree gives training and held-out rows.
        train, hot: (N, C) their labels.
    """
    truth = hot > 0
    tuned = choose({"name": "tuned_per_class", "at_least_one": False}, of_train, train)
    given = {ABOVE_HALF: found > HALF, TUNED: tuned.labels(found)}
    given |= {name: np.broadcast_to(row, truth.shape) for name, row in constant_answers(train).items()}
    return {
        name: {
            "macro_f1": round(macro_f1(labels, truth), 4),
            "micro_f1": round(micro_f1(labels, truth), 4),
            "exact_match": round(float((labels == truth).all(axis=1).mean()), 4),
        }
        for name, labels in given.items()
    }


def _score(found: np.ndarray, prior: np.ndarray, hot: np.ndarray, corpus: Corpus) -> dict[str, Any]:
    base, ours = _label_bits(np.broadcast_to(prior, hot.shape), hot), _label_bits(found, hot)
    if corpus.task == "multiclass":
        whole = _class_bits(np.broadcast_to(prior, hot.shape), hot), _class_bits(found, hot)
    else:
        whole = base.sum(axis=1), ours.sum(axis=1)
    score: dict[str, Any] = dict(zip(("explained", "interval"), _explained(*whole), strict=True))
    labels: list[dict[str, Any]] = []
    for place, label in enumerate(corpus.label_names):
        share, interval = _explained(base[:, place], ours[:, place])
        rows = int(hot[:, place].sum())
        labels.append({"label": label, "rows": rows, "explained": share, "interval": interval})
    score["labels"] = sorted(labels, key=lambda one: -one["explained"])[:MOST_LABELS]
    if corpus.task == "multiclass":
        score |= _accuracies(found, prior, hot)
    return score


def _label_bits(shares: np.ndarray, hot: np.ndarray) -> np.ndarray:
    """(N, C) bits that each label's yes or no costs."""
    shares = np.clip(shares, 1e-6, 1 - 1e-6)
    return -np.where(hot > 0, np.log2(shares), np.log2(1 - shares))


def _class_bits(shares: np.ndarray, hot: np.ndarray) -> np.ndarray:
    """(N,) bits that the right class costs."""
    return -np.log2(np.clip((shares * hot).sum(axis=1), 1e-6, 1.0))


def _explained(base: np.ndarray, ours: np.ndarray) -> tuple[float, list[float]]:
    """The share saved of the bits, and its 95 % interval over rows."""
    gain, mean = base - ours, max(float(base.mean()), 1e-9)
    error = float(gain.std()) / np.sqrt(len(gain))
    ends = (float(gain.mean() + sign * Z * error) / mean for sign in (-1, 1))
    return round(float(gain.mean()) / mean, 4), [round(float(end), 4) for end in ends]


def _accuracies(found: np.ndarray, prior: np.ndarray, hot: np.ndarray) -> dict[str, Any]:
    from sklearn.metrics import f1_score

    targets, answers = hot.argmax(axis=1), found.argmax(axis=1)
    majority = np.full(len(targets), prior.argmax())
    everything = list(range(hot.shape[1]))
    figures = {}
    for name, given in (("", answers), ("majority_", majority)):
        right = given == targets
        figures[f"{name}accuracy"] = round(float(right.mean()), 4)
        figures[f"{name}accuracy_error"] = round(float(Z * right.std() / np.sqrt(len(right))), 4)
        f1 = f1_score(targets, given, labels=everything, average="macro", zero_division=0)
        figures[f"{name}macro_f1"] = round(float(f1), 4)
    return figures


def surface_findings(scores: dict[str, Any] | None, trials: Trials) -> list[Finding]:
    """A leak where the surface alone explains too much of the labels, or of one of them."""
    if scores is None:
        return []
    split, score, known = _told(scores)
    if not _leaks(score, known):
        return []
    by = ", ".join(scores["most_important"][:3])
    line = (
        f"a classifier that sees no word explains {_one_place(score['explained'])} % of the labels' entropy "
        f"({split}, 95 % interval {' to '.join(map(_one_place, score['interval']))} %), mostly by {by}"
    )
    if known:
        line += "; of " + ", ".join(f"{one['label']} {percent(one['explained'])}" for one in known[:6])
    labels = tuple(one["label"] for one in known)
    evidence = {"explained": score["explained"], "interval": score["interval"]}
    mends = _mends(score, trials)
    mends += tuple(mend for label in labels for mend in trials.remedies.without_neutral(label))
    return [Finding("surface classifier", "leak", line, labels, evidence, mends)]


def _told(scores: dict[str, Any]) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """The split where most is explained, its score, and the labels that are known there."""
    split = max(scores["splits"], key=lambda name: scores["splits"][name]["interval"][0])
    score = scores["splits"][split]
    # Of a label with a few rows the entropy is next to nothing, and its share anything.
    enough = [one for one in score["labels"] if one["rows"] >= LEAST_LABELLED]
    return split, score, [one for one in enough if one["interval"][0] >= KNOWS_A_LABEL]


def _leaks(score: dict[str, Any], known: list[dict[str, Any]]) -> bool:
    return score["interval"][0] >= KNOWS_TOO_MUCH or bool(known)


def _mends(score: dict[str, Any], trials: Trials) -> tuple[Remedy, ...]:
    """The options that end the leak, and those that leave clearly less of it, with what they leave."""
    mends = []
    for trial in trials.all:
        scores = surface_scores(trial.corpus, trial.features)
        _, after, known = _told(scores) if scores is not None else ("", None, [])
        if after is None or not _leaks(after, known):
            mends.append(trial.remedy)
        elif after["interval"][1] < score["interval"][0]:
            left = f"{trial.remedy.what}; {_one_place(after['explained'])} % stay explained"
            mends.append(Remedy(trial.remedy.option, left))
    return tuple(mends)


def _one_place(share: float) -> str:
    return f"{100 * share:.1f}"
