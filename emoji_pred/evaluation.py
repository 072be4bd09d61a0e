"""From the probabilities of a run to its figures and stored predictions, whatever model made them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from emoji_pred import runs
from emoji_pred.data.corpus import Corpus
from emoji_pred.metrics import evaluate


def evaluate_splits(
    corpus: Corpus, probabilities: Mapping[str, np.ndarray]
) -> tuple[dict[str, dict[str, Any]], dict[str, runs.SplitPredictions]]:
    """Metrics and predictions of each split that has probabilities.

    Args:
        corpus: labels and row ids; the largest class of its training rows is the metrics' top class.
        probabilities: split -> (N, C) float32, in the corpus' order of rows.

    Returns:
        Split -> `metrics.evaluate`'s figures, and split -> row ids, labels and probabilities.
    """
    largest = int(corpus.class_counts("train").argmax())
    figures, predictions = {}, {}
    for split, given in probabilities.items():
        rows = corpus.splits[split]
        targets = torch.from_numpy(rows.labels.astype(np.int64))
        figures[split] = evaluate(
            torch.from_numpy(given), targets, corpus.task, corpus.label_names, top_class=largest
        )
        predictions[split] = (list(rows.row_ids), rows.labels, given)
    return figures, predictions
