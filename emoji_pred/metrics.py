"""Metrics of one split: pure functions from probabilities and targets to plain numbers.

Calibration is torchmetrics'; labels are counted and ratios taken here, in float64, because it leaves classes
that are neither present nor predicted out of its macro averages, while scikit-learn's report over all labels
counts such a class as 0. All ratios follow scikit-learn with `labels=range(C)` and `zero_division=0`.

Shapes: N rows, C classes. All values are fractions in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emoji_pred.decision import HALF, Decision
from emoji_pred.errors import Diverged
from emoji_pred.multilabel_metrics import of_examples, ranking_precision

if TYPE_CHECKING:
    from torch import Tensor

TOP_K = (1, 3, 5, 10)
CALIBRATION_BINS = 15


def probabilities_of(logits: Tensor, task: str) -> Tensor:
    """Softmax over classes, or a sigmoid for each label, in float32: (N, C) from logits (N, C)."""
    return logits.float().softmax(1) if task == "multiclass" else logits.float().sigmoid()


def without_unseen(probabilities: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Give classes that no training row has no probability: nothing was learned of them.

    Args:
        probabilities: (N, C) of one label a text.
        seen: (C,) whether a class has training rows.

    Returns:
        (N, C) in the same precision: 0 for those classes, the others in proportion; the very array where
        every class was seen.
    """
    if seen.all():
        return probabilities
    known = np.where(seen, probabilities, 0)
    total = known.sum(axis=1, keepdims=True)
    return np.where(total > 0, known / np.where(total > 0, total, 1), seen / seen.sum()).astype(
        probabilities.dtype
    )


def evaluate(
    probabilities: Tensor,
    targets: Tensor,
    task: str,
    label_names: Sequence[str],
    *,
    decision: Decision | None = None,
    top_class: int | None = None,
) -> dict[str, Any]:
    """Every metric of one split as plain JSON values.

    Args:
        probabilities: (N, C) floats, softmax (multiclass) or sigmoid (multilabel) already applied.
        targets: (N,) class indices, or (N, C) zeros and ones.
        task: `multiclass` or `multilabel`.
        label_names: C names, in class order.
        decision: multilabel only: which labels are predicted; None: those of a probability above 0.5.
        top_class: the largest class of the training rows.

    Returns:
        Both tasks: accuracy, {macro,micro,weighted}_{precision,recall,f1}, ece (expected calibration error,
        L1, 15 bins of equal width; Guo et al. 2017, eq. 3) and `per_class`, a list in class order of label,
        precision, recall, f1, support (rows of the class) and predicted (rows given the class);
        zeroed_classes, how many classes stand in the split and are never predicted, and never_predicted, how
        many of all classes are not; with `top_class` its label, top_class_recall and top_class_precision
        (Paturyla and Belopolskikh 2024, section 5.2).
        Multiclass: top_1, top_3, top_5, top_10 (k capped at C) and `confusion_matrix` (C x C counts, a row is
        the true class). Equal probabilities are ranked by class order, the first class wins, so top_1 is
        accuracy.
        Multilabel: exact_match, hamming_loss; accuracy is exact_match, as in scikit-learn; ece is that of all
        N x C label probabilities; those of `multilabel_metrics.of_examples` (the emothreat paper's, as in its
        equations and as in its notebook), label_ranking_average_precision, and `decision`.

    Raises:
        ValueError: shapes, label names or values do not fit together.
        Diverged: a probability is not a number.
    """
    _check(probabilities, targets, task, label_names)
    scores = probabilities.detach().cpu().double().clamp(0.0, 1.0)
    truth = targets.detach().cpu().long()
    if task == "multiclass":
        result = _evaluate_multiclass(scores, truth, label_names)
    else:
        rule = decision or Decision("fixed", (HALF,) * len(label_names))
        result = _evaluate_multilabel(scores, truth, label_names, rule)
    return result if top_class is None else {**result, **_of_top_class(result["per_class"][top_class])}


def predicted_of(logits: Tensor, task: str) -> Tensor:
    """What raw logits (B, C) predict: class indices (B,), or for each label whether it is given (B, C).

    A label is given where its logit is above 0, a probability above one half.
    """
    return logits.argmax(dim=1) if task == "multiclass" else logits > 0


def evaluate_predicted(predicted: Tensor, targets: Tensor, task: str, num_classes: int) -> dict[str, float]:
    """What is watched while training: macro_f1 and accuracy, equal to those of `evaluate`, in milliseconds.

    Args:
        predicted: as `predicted_of` gives them.
        targets: (N,) class indices, or (N, C) zeros and ones.
        task: `multiclass` or `multilabel`.
        num_classes: C.
    """
    if task == "multiclass":
        confusion = _confusion(predicted, targets.long(), num_classes)
        counts, right = _counts_of_confusion(confusion), confusion.diagonal().sum()
    else:
        counts = _multilabel_counts(predicted, targets)
        right = (predicted == targets.bool()).all(dim=1).sum()
    return {"macro_f1": float(_ratios(*counts)[2].mean()), "accuracy": int(right) / len(targets)}


def reliability(probabilities: Tensor, targets: Tensor, task: str) -> list[dict[str, Any]]:
    """The points of a reliability diagram: accuracy by confidence, over the bins of `ece`.

    Args:
        probabilities: (N, C) floats, softmax or sigmoid already applied.
        targets: (N,) class indices, or (N, C) zeros and ones.
        task: `multiclass`: the confidence is that of the predicted class, and a row counts as right or wrong;
            `multilabel`: each of the N x C probabilities counts, against whether the label is given.

    Returns:
        For each of 15 bins of equal width that holds anything: lower and upper (its edges), confidence and
        accuracy (means), rows. The mean of |accuracy - confidence|, weighted by rows, is `ece`; a confidence
        of exactly 1 stands in the last bin.
    """
    import torch

    scores = probabilities.detach().cpu().double().clamp(0.0, 1.0)
    if task == "multiclass":
        confidence, predicted = scores.max(dim=1)
        right = predicted == targets.cpu()
    else:
        confidence, right = scores.flatten(), targets.cpu().flatten() > 0
    edges = torch.linspace(0, 1, CALIBRATION_BINS + 1, dtype=torch.float64)
    place = (torch.bucketize(confidence, edges, right=True) - 1).clamp(max=CALIBRATION_BINS - 1)
    rows, hits, sums = (
        torch.bincount(place, weights, CALIBRATION_BINS).tolist()
        for weights in (torch.ones_like(confidence), right.double(), confidence)
    )
    return [
        {
            **{"lower": float(edges[index]), "upper": float(edges[index + 1])},
            **{"confidence": sums[index] / count, "accuracy": hits[index] / count, "rows": int(count)},
        }
        for index, count in enumerate(rows)
        if count
    ]


def _evaluate_multiclass(
    probabilities: Tensor, targets: Tensor, label_names: Sequence[str]
) -> dict[str, Any]:
    from torchmetrics.functional.classification import multiclass_calibration_error

    rows, classes = probabilities.shape
    confusion = _confusion(probabilities.argmax(dim=1), targets, classes)
    ranks = _rank_of_target(probabilities, targets)
    ece = multiclass_calibration_error(probabilities, targets, classes, CALIBRATION_BINS, validate_args=False)
    return {
        "accuracy": int(confusion.diagonal().sum()) / rows,
        **{f"top_{k}": int((ranks < k).sum()) / rows for k in TOP_K},
        **_summary(*_counts_of_confusion(confusion), label_names),
        "ece": float(ece),
        "confusion_matrix": confusion.tolist(),
    }


def _evaluate_multilabel(
    probabilities: Tensor, targets: Tensor, label_names: Sequence[str], decision: Decision
) -> dict[str, Any]:
    import torch
    from torchmetrics.functional.classification import binary_calibration_error

    given = decision.labels(probabilities.numpy())
    predicted = torch.from_numpy(given)
    wrong = predicted != targets.bool()
    exact_match = int((~wrong.any(dim=1)).sum()) / len(wrong)
    ece = binary_calibration_error(
        probabilities.flatten(), targets.flatten(), CALIBRATION_BINS, validate_args=False
    )
    return {
        "accuracy": exact_match,
        "exact_match": exact_match,
        "hamming_loss": int(wrong.sum()) / wrong.numel(),
        **_summary(*_multilabel_counts(predicted, targets), label_names),
        **of_examples(given, targets.numpy()),
        "label_ranking_average_precision": ranking_precision(probabilities.numpy(), targets.numpy()),
        "ece": float(ece),
        "decision": decision.plain(),
    }


def _confusion(predicted: Tensor, targets: Tensor, classes: int) -> Tensor:
    """(C, C) counts, a row is the true class.

    Under deterministic algorithms torchmetrics compares each row with each of the C x C cells, a table of
    160 MB for 50,000 rows of 20 classes.
    """
    import torch

    return torch.bincount(targets * classes + predicted, minlength=classes**2).reshape(classes, classes)


def _counts_of_confusion(confusion: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return confusion.diagonal(), confusion.sum(dim=0), confusion.sum(dim=1)


def _multilabel_counts(predicted: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each class (C,): rows that have the label and are given it, that are given it, that have it."""
    given, wanted = predicted.bool(), targets.bool()
    return (given & wanted).sum(dim=0), given.sum(dim=0), wanted.sum(dim=0)


def _rank_of_target(probabilities: Tensor, targets: Tensor) -> Tensor:
    """(N,) how many classes stand before the true one; equal probabilities stand in class order."""
    import torch

    own = probabilities.gather(1, targets[:, None])
    earlier = torch.arange(probabilities.shape[1])[None, :] < targets[:, None]
    return ((probabilities > own) | ((probabilities == own) & earlier)).sum(dim=1)


def _ratios(hits: Tensor, predicted: Tensor, support: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Precision, recall and F1 from counts of any one shape; 0 where the denominator is 0."""
    precision = hits.double() / predicted.clamp(min=1)
    recall = hits.double() / support.clamp(min=1)
    f1 = 2 * hits.double() / (predicted + support).clamp(min=1)
    return precision, recall, f1


def _summary(hits: Tensor, predicted: Tensor, support: Tensor, label_names: Sequence[str]) -> dict[str, Any]:
    per_class = _ratios(hits, predicted, support)
    micro = _ratios(hits.sum(), predicted.sum(), support.sum())
    weights = support.double() / support.sum().clamp(min=1)
    result: dict[str, Any] = {}
    for name, values, pooled in zip(("precision", "recall", "f1"), per_class, micro, strict=True):
        result[f"macro_{name}"] = float(values.mean())
        result[f"micro_{name}"] = float(pooled)
        result[f"weighted_{name}"] = float((values * weights).sum())
    result["zeroed_classes"] = int(((predicted == 0) & (support > 0)).sum())
    result["never_predicted"] = int((predicted == 0).sum())
    columns = [column.tolist() for column in (*per_class, support, predicted)]
    keys = ("label", "precision", "recall", "f1", "support", "predicted")
    result["per_class"] = [
        dict(zip(keys, row, strict=True)) for row in zip(label_names, *columns, strict=True)
    ]
    return result


def _of_top_class(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "top_class": entry["label"],
        "top_class_recall": entry["recall"],
        "top_class_precision": entry["precision"],
    }


def _check(probabilities: Tensor, targets: Tensor, task: str, label_names: Sequence[str]) -> None:
    if probabilities.ndim != 2 or 0 in probabilities.shape:
        raise ValueError(f"probabilities must be (N, C) and not empty, got {tuple(probabilities.shape)}")
    rows, classes = probabilities.shape
    wanted = {"multiclass": (rows,), "multilabel": (rows, classes)}.get(task)
    if wanted is None:
        raise ValueError(f"unknown task {task!r}")
    if tuple(targets.shape) != wanted:
        raise ValueError(f"{task} targets must be {wanted}, got {tuple(targets.shape)}")
    if len(label_names) != classes:
        raise ValueError(f"{classes} classes but {len(label_names)} label names")
    highest = classes - 1 if task == "multiclass" else 1
    if int(targets.min()) < 0 or int(targets.max()) > highest:
        raise ValueError(f"{task} targets must lie in 0..{highest}")
    _check_values(probabilities)


def _check_values(probabilities: Tensor) -> None:
    bad = ~probabilities.isfinite().all(dim=1)
    if bool(bad.any()):
        row = int(bad.int().argmax())
        raise Diverged(
            f"the prediction of row {row} is not a number: training diverged; "
            "lower model.optimizer.lr or set model.gradient_clip"
        )
    # Rounding in half precision may leave [0, 1] by a little; logits leave it by far.
    if float(probabilities.min()) < -1e-2 or float(probabilities.max()) > 1 + 1e-2:
        raise ValueError("probabilities must lie in [0, 1]: apply softmax or sigmoid to logits first")
