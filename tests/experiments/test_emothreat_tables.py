"""EmoThreat's metric in its readings, counted from kept answers without our own code, and other answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    f1_score,
    jaccard_score,
    label_ranking_average_precision_score,
    precision_score,
    recall_score,
)

from experiments import selections
from experiments.keeping import RESULTS, Answers, KeptRun
from experiments.measured import Shelf
from experiments.scoring import score
from experiments.table import Metric, Row
from experiments.tables import emothreat
from experiments.tables import emothreat_models as urdu


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    if not any(RESULTS.glob("*/result.json")):
        pytest.skip("there are no kept runs")
    return Shelf()


def row_of(name: str, label: str) -> Row:
    (table,) = (table for table in emothreat.PAPER.tables if table.name == name)
    return next(row for row in table.rows if row.label == label)


def numbers_of(shelf: Shelf, name: str, label: str) -> list[float | None]:
    return [shelf.measured(cell).mean for cell in row_of(name, label).cells if cell]


def kept_answers(shelf: Shelf, label: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth and answers (N, 7) of a kept run on test, and (N,) what each row counts at the official share."""
    (run,) = shelf.runs(urdu.MODELS[urdu.ALL_ROWS][label])
    answers = run.answers()["test"]
    truth, given = answers.truth.astype(bool), answers.given.astype(bool)
    reviews = truth[:, run.labels.index("neutral")]
    share = 753 / 1950  # of the official test
    weights = np.where(reviews, share / reviews.sum(), (1 - share) / (~reviews).sum())
    return truth, given, weights


def of_plus_one(truth: np.ndarray, given: np.ndarray, weights: np.ndarray) -> list[float]:
    """Accuracy, precision, recall and F1 as the notebook has them, counted by hand."""
    both = (truth & given).sum(axis=1) + 1
    below = (truth | given, given, truth)
    accuracy, precision, recall = (
        float(weights @ (both / (part.sum(axis=1) + 1)) / weights.sum()) for part in below
    )
    return [accuracy, precision, recall, 2 * precision * recall / (precision + recall)]


def of_equations(truth: np.ndarray, given: np.ndarray, weights: np.ndarray) -> list[float]:
    """The same by equations 7 to 10: scikit-learn's, with the rows right that have and are given nothing."""
    right = weights @ ~(truth | given).any(axis=1) / weights.sum()  # 0 / 0, which counts 0 there
    accuracy, precision, recall = (
        right + metric(truth, given, average="samples", zero_division=0, sample_weight=weights)
        for metric in (jaccard_score, precision_score, recall_score)
    )
    return [accuracy, precision, recall, 2 * precision * recall / (precision + recall)]


# Table 4's models by the equations at the official share, as counted by someone else from the kept answers.
COUNTED = {
    "naive Bayes": (0.432, 0.457, 0.432, 0.444),
    "linear SVC": (0.683, 0.740, 0.716, 0.728),
    "logistic regression": (0.619, 0.676, 0.627, 0.651),
}


@pytest.mark.parametrize("own, printed", zip(urdu.TFIDF, urdu.TABLE_4, strict=True))
def test_the_readings_of_tfidf_without_our_own_metrics(own: str, printed: str, shelf: Shelf) -> None:
    truth, given, weights = kept_answers(shelf, own)
    once = np.ones(len(truth))
    at_share = numbers_of(shelf, "emothreat.3", f"ours: {own}")
    assert at_share == pytest.approx(of_equations(truth, given, weights), abs=1e-12)
    assert at_share == pytest.approx(COUNTED[own], abs=0.0005)
    plus_one = numbers_of(shelf, "emothreat.4", printed)
    assert plus_one == pytest.approx(of_plus_one(truth, given, weights), abs=1e-12)
    both = numbers_of(shelf, "emothreat.metrics", own)
    assert both[:4] == pytest.approx(of_plus_one(truth, given, once), abs=1e-12)
    assert both[4:] == pytest.approx(of_equations(truth, given, once), abs=1e-12)


def test_yardsticks_stand_under_every_metric(shelf: Shelf) -> None:
    tables = [table for table in emothreat.PAPER.tables if table.name != "emothreat.1"]
    for table in tables:
        labels = {row.label.partition(":")[0].partition(",")[0] for row in table.rows if row.yardstick}
        assert {"answers nothing", "answers everything"} <= labels, table.name
        for row in table.rows:
            empty = {name for name, cell in zip(table.head, row.cells, strict=True) if cell is None}
            assert empty <= ({"macro F1, tuned"} if row.yardstick else set()) | {"neutral"}, table.name
    truth, _, weights = kept_answers(shelf, "linear SVC")
    for label, given in (
        ("answers nothing", np.zeros_like(truth)),
        ("answers everything", np.ones_like(truth)),
        ("always the most frequent label", np.arange(7) == [list(urdu.TABLE_1).index("sadness")]),
    ):
        given = np.broadcast_to(given, truth.shape)
        assert numbers_of(shelf, "emothreat.3", label) == pytest.approx(of_equations(truth, given, weights))
        assert numbers_of(shelf, "emothreat.4", label) == pytest.approx(of_plus_one(truth, given, weights))
        ranking = row_of("emothreat.models", label).cells[4]
        assert ranking is not None and ranking.metric.name == "ranking precision"
        wanted = label_ranking_average_precision_score(truth, given.astype(int))
        assert shelf.measured(ranking).mean == pytest.approx(wanted)


def test_every_model_stands_under_every_metric() -> None:
    for rows, name in (
        (urdu.ALL_ROWS, "emothreat.metrics"),
        (urdu.WITHOUT_NEUTRAL, "emothreat.metrics_without_neutral"),
    ):
        for label in (*urdu.MODELS[rows], *urdu.CONSTANTS):
            paths = [cell.metric.path for cell in row_of(name, label).cells if cell]
            assert paths == [
                f"{prefix}{measure}"
                for prefix in ("paper_smoothed_", "example_")
                for measure in ("accuracy", "precision", "recall", "f1")
            ]


def test_constant_answers_reach_what_the_result_says(shelf: Shelf) -> None:
    (run,) = shelf.runs(urdu.SVC)
    for select, name in (
        (selections.nothing, "answers nothing"),
        (selections.everything, "answers everything"),
        (selections.always_top_class, "always the most frequent label"),
    ):
        for path, value in run.result["test"]["yardsticks"][name].items():
            if path.startswith(
                ("example_", "paper_smoothed_", "macro_", "micro_", "exact", "hamming", "label_ranking")
            ):
                assert Metric("", path, select=select).read(run) == pytest.approx(value, abs=1e-12), path


def test_tuned_thresholds_are_chosen_on_validation(shelf: Shelf) -> None:
    from sklearn.metrics import precision_recall_curve

    (run,) = shelf.runs(urdu.SVC)
    answers = run.answers()
    tuned = selections.tuned_per_class(run, answers["validation"])
    for place in range(len(run.labels)):
        truth, probabilities = (
            part[:, place] for part in (answers["validation"].truth, answers["validation"].probabilities)
        )
        precision, recall, _ = precision_recall_curve(truth, probabilities)
        best = (2 * precision * recall / np.maximum(precision + recall, 1e-12)).max()
        assert f1_score(truth, tuned.given[:, place]) == pytest.approx(best, abs=1e-9)


# --- selections by hand


def a_run(labels: list[str], counts: list[int], corpus: dict[str, Any] | None = None) -> KeptRun:
    provenance = {"class_counts": counts, "corpus": corpus or {}}
    return KeptRun({"run": "0", "label_names": labels, "provenance": provenance, "test": {}}, Path("."))


def test_the_most_frequent_answer_of_one_label() -> None:
    truth = np.array([0, 1, 2, 2])
    answers = Answers(truth, np.array([0, 1, 2, 0]), np.array([1, 1, 1, 2]), None, "rows")
    found = selections.always_top_class(a_run(["a", "b", "c"], [2, 5, 3]), answers)
    assert found.given.tolist() == [1, 1, 1, 1]
    assert found.ranks is not None and found.ranks.tolist() == [3, 1, 2, 2]  # b, c, a by training rows
    assert score(found, "top_2", ["a", "b", "c"]) == pytest.approx(3 / 4)


# Two tweets and a review: the first tweet is given one of its two labels, the second nothing.
LABELS = ["anger", "sadness", "neutral"]
TRUTH = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]])
GIVEN = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 1]])
OFFICIAL = {"recovered_test": {"neutral_reviews": 753, "found_among_tweets": 753}}


def some_answers() -> Answers:
    return Answers(TRUTH, GIVEN, None, GIVEN.astype(float), "rows")


def test_reviews_count_by_their_official_share() -> None:
    run = a_run(LABELS, [1, 2, 1], OFFICIAL)
    found = selections.at_official_share(run, some_answers())
    # Half of the official rows are reviews, a third of these: a review counts twice.
    assert found.weights is not None and found.weights.tolist() == [1.0, 1.0, 2.0]
    # +1: tweets 2/3 and 1/2, the review 1: (7/12 + 1) / 2. By equation 7: 1/2, 0 and 1.
    assert score(found, "paper_smoothed_accuracy", LABELS) == pytest.approx(19 / 24)
    assert score(found, "example_accuracy", LABELS) == pytest.approx(5 / 8)
    nothing = selections.nothing_at_official_share(run, some_answers())
    assert score(nothing, "paper_smoothed_accuracy", LABELS) == pytest.approx((5 / 12 + 1 / 2) / 2)
    everything = selections.everything_at_official_share(run, some_answers())
    # +1: tweets 3/4 and 2/4, the review 2/4.
    assert score(everything, "paper_smoothed_accuracy", LABELS) == pytest.approx((5 / 8 + 1 / 2) / 2)


def test_constant_answers_are_ranked_as_scikit_learn_ranks_them() -> None:
    run = a_run(LABELS, [1, 2, 1])
    # Of the tied three: 2/3, 1/3, 1/3. Sadness first, the others tied last: (1 + 2/3) / 2, 1, 1/3.
    for select, wanted in (
        (selections.nothing, 4 / 9),
        (selections.everything, 4 / 9),
        (selections.always_top_class, (5 / 6 + 1 + 1 / 3) / 3),
    ):
        found = select(run, some_answers())
        assert score(found, "label_ranking_average_precision", LABELS) == pytest.approx(wanted)
        assert label_ranking_average_precision_score(TRUTH, found.given) == pytest.approx(wanted)
    top = selections.always_top_class_at_official_share(a_run(LABELS, [1, 2, 1], OFFICIAL), some_answers())
    # By equation 7: 1/2 and 1 of the tweets, 0 of the review, which counts twice.
    assert score(top, "example_accuracy", LABELS) == pytest.approx(3 / 8)
    tweets = selections.everything_on_tweets(run, some_answers())
    assert tweets.given.tolist() == [[1, 1], [1, 1]]
    assert score(tweets, "example_accuracy", LABELS[:2]) == pytest.approx(3 / 4)


def test_other_rows_are_left_as_they_are() -> None:
    answers = some_answers()
    assert selections.at_official_share(a_run(LABELS, [1, 2, 1]), answers) is answers
    assert selections.tweets_alone(a_run(["a", "b", "c"], [1, 2, 1]), answers) is answers
    reviews_alone = Answers(TRUTH[2:], GIVEN[2:], None, None, "rows")
    assert selections.at_official_share(a_run(LABELS, [1, 2, 1], OFFICIAL), reviews_alone) is reviews_alone


def test_the_tweets_alone_have_no_neutral() -> None:
    found = selections.tweets_alone(a_run(LABELS, [1, 2, 1]), some_answers())
    assert found.truth.tolist() == [[1, 1], [0, 1]] and found.given.tolist() == [[1, 0], [0, 0]]
    assert found.rows != some_answers().rows, "not to be compared row by row with all rows"


def test_the_smoke_profile_reads_every_metric_of_several_labels() -> None:
    """Bundled rows have other labels and no recovered test: nothing may fail there."""
    run = a_run(["joy", "anger"], [3, 1])
    answers = Answers(TRUTH[:, :2], GIVEN[:, :2], None, GIVEN[:, :2].astype(float), "rows")
    for select in (
        *(selections.at_official_share, selections.tweets_alone, selections.nothing_on_tweets),
        *(selections.nothing_at_official_share, selections.everything_at_official_share),
    ):
        assert len(select(run, answers).truth) == 3
