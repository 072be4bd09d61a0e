"""What the papers print is added up: a slip in copying would show, and so would a contradiction."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.tables.tweeteval import LABELS, REPORTS, SUPPORT, Report

HALF = 0.005  # of the last printed digit
MODELS = sorted(REPORTS)


def classes_of(report: Report) -> np.ndarray:
    return np.array(report.classes)  # (20, 3)


def test_the_support_is_that_of_the_test_split() -> None:
    assert len(LABELS) == len(set(LABELS)) == len(SUPPORT) == 20
    assert sum(SUPPORT) == 50_000


@pytest.mark.parametrize("model", MODELS)
def test_every_f1_follows_from_precision_and_recall(model: str) -> None:
    for label, (precision, recall, f1) in zip(LABELS, REPORTS[model].classes, strict=True):
        low, high = (
            2 * p * r / (p + r) if p > 0 and r > 0 else 0.0
            for p, r in ((precision - HALF, recall - HALF), (precision + HALF, recall + HALF))
        )
        assert low - HALF <= f1 <= high + HALF, label


@pytest.mark.parametrize("model", MODELS)
def test_the_averages_follow_from_the_classes(model: str) -> None:
    report = REPORTS[model]
    classes = classes_of(report)
    # A mean of rounded numbers is off by at most half a digit, and is itself rounded.
    assert np.abs(classes.mean(axis=0) - report.macro).max() <= 2 * HALF
    assert np.abs(np.average(classes, axis=0, weights=SUPPORT) - report.weighted).max() <= 2 * HALF


@pytest.mark.parametrize("model", MODELS)
def test_the_accuracy_is_the_weighted_recall(model: str) -> None:
    report = REPORTS[model]
    assert report.weighted[1] == report.accuracy
