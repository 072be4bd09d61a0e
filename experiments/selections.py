"""Other answers than a run's own: those of a constant model, other rows, other weights.

Each is a `Metric.select` of a table. A yardstick is read like a model, so it gets an interval too. Of several
labels, the probabilities of a constant answer are its zeros and ones, as in `multilabel_metrics.of_answers`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emoji_pred.decision import choose
from experiments.keeping import Answers, KeptRun

NEUTRAL = "neutral"  # the label of EmoThreat's film reviews
PER_CLASS = {"name": "tuned_per_class", "at_least_one": False}


def always_top_class(run: KeptRun, answers: Answers) -> Answers:
    """A model that ranks the labels by how many training rows they have, whatever the text is.

    Of several labels it gives the most frequent one alone.
    """
    counts = np.asarray(run.result["provenance"]["class_counts"])
    order = np.argsort(-counts, kind="stable")
    if answers.truth.ndim == 2:
        given = np.zeros_like(answers.truth)
        given[:, order[0]] = 1
        return _constant(answers, given)
    place = np.empty(len(counts), dtype=np.int64)
    place[order] = np.arange(1, len(counts) + 1)
    given = np.full_like(answers.truth, order[0])
    return replace(answers, given=given, ranks=place[answers.truth])


def nothing(_: KeptRun, answers: Answers) -> Answers:
    """A model that gives no label."""
    return _constant(answers, np.zeros_like(answers.truth))


def everything(_: KeptRun, answers: Answers) -> Answers:
    """A model that gives every label."""
    return _constant(answers, np.ones_like(answers.truth))


def at_official_share(run: KeptRun, answers: Answers) -> Answers:
    """Each review counts so that reviews have the share of the rows that they have in the official test."""
    reviews = _reviews(run, answers)
    recovered = run.result["provenance"].get("corpus", {}).get("recovered_test")
    if recovered is None or not 0 < reviews.sum() < len(reviews):  # other rows than EmoThreat's
        return answers
    wanted = recovered["neutral_reviews"] / recovered["found_among_tweets"]
    here = reviews.sum() / (~reviews).sum()
    return replace(answers, weights=np.where(reviews, wanted / here, 1.0))


def nothing_at_official_share(run: KeptRun, answers: Answers) -> Answers:
    """A model that gives no label, the reviews at their official share."""
    return nothing(run, at_official_share(run, answers))


def everything_at_official_share(run: KeptRun, answers: Answers) -> Answers:
    """A model that gives every label, the reviews at their official share."""
    return everything(run, at_official_share(run, answers))


def always_top_class_at_official_share(run: KeptRun, answers: Answers) -> Answers:
    """A model that gives the most frequent label, the reviews at their official share."""
    return always_top_class(run, at_official_share(run, answers))


def tweets_alone(run: KeptRun, answers: Answers) -> Answers:
    """The answers to the tweets, without the label that they never have."""
    if NEUTRAL not in run.labels:
        return answers
    rows = ~_reviews(run, answers)
    place = run.labels.index(NEUTRAL)
    truth, given = (np.delete(part[rows], place, axis=1) for part in (answers.truth, answers.given))
    return replace(answers, truth=truth, given=given, probabilities=None, rows=f"{answers.rows}, tweets")


def nothing_on_tweets(run: KeptRun, answers: Answers) -> Answers:
    """A model that gives no label, on the tweets."""
    return nothing(run, tweets_alone(run, answers))


def everything_on_tweets(run: KeptRun, answers: Answers) -> Answers:
    """A model that gives every label, on the tweets."""
    return everything(run, tweets_alone(run, answers))


def tuned_per_class(run: KeptRun, answers: Answers) -> Answers:
    """The same probabilities with a threshold for each label, chosen on validation."""
    validation = run.answers().get("validation")
    if validation is None or validation.probabilities is None or answers.probabilities is None:
        return answers
    decision = choose(PER_CLASS, validation.probabilities, validation.truth)
    return replace(answers, given=decision.labels(answers.probabilities).astype(np.int64))


def _constant(answers: Answers, given: NDArray[np.int64]) -> Answers:
    return replace(answers, given=given, ranks=None, probabilities=given.astype(np.float64))


def _reviews(run: KeptRun, answers: Answers) -> NDArray[np.bool_]:
    """(N,) whether a row is a film review."""
    if NEUTRAL not in run.labels:
        return np.zeros(len(answers.truth), dtype=bool)
    return answers.truth[:, run.labels.index(NEUTRAL)].astype(bool)
