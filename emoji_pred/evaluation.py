"""From the probabilities of a run to its figures and stored predictions, whatever model made them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from emoji_pred import runs
from emoji_pred.data.corpus import Corpus
from emoji_pred.decision import Decision, choose
from emoji_pred.metrics import evaluate, without_unseen
from emoji_pred.multilabel_metrics import yardsticks


def evaluate_splits(
    corpus: Corpus, probabilities: Mapping[str, np.ndarray], rule: Mapping[str, Any] | None = None
) -> tuple[dict[str, dict[str, Any]], dict[str, runs.SplitPredictions]]:
    """Metrics and predictions of each split that has probabilities.

    Args:
        corpus: labels and row ids; the largest class of its training rows is the metrics' top class.
        probabilities: split -> (N, C) float32, in the corpus' order of rows; of several labels a text, those
            of validation are among them. Of one label a text, a class without training rows gets none of it.
        rule: of several labels a text, the `decision` config group; None: a label is given above 0.5. What it
            chooses, it chooses on the validation rows, and the other splits are decided alike.

    Returns:
        Split -> `metrics.evaluate`'s figures, of several labels a text with `yardsticks`, what constant
        answers reach (`multilabel_metrics.yardsticks`); and split -> row ids, labels and probabilities.
    """
    counts = corpus.class_counts("train")
    largest = int(counts.argmax())
    decision: Decision | None = None
    if corpus.task == "multilabel":
        decision = choose(
            rule, probabilities["validation"], corpus.splits["validation"].labels, seen=counts > 0
        )
    else:
        probabilities = {split: without_unseen(given, counts > 0) for split, given in probabilities.items()}
    figures, predictions = {}, {}
    for split, given in probabilities.items():
        rows = corpus.splits[split]
        targets = torch.from_numpy(rows.labels.astype(np.int64))
        scores, names = torch.from_numpy(given), corpus.label_names
        figures[split] = evaluate(scores, targets, corpus.task, names, decision=decision, top_class=largest)
        if decision is not None:
            figures[split]["yardsticks"] = yardsticks(corpus.splits["train"].labels, rows.labels)
        predictions[split] = (list(rows.row_ids), rows.labels, given)
    return figures, predictions
