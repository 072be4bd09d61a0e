"""Class weights (alpha) from the class counts of the training split.

Two families. `power` is (scale / n_c)^exponent: uniform, balanced, inverse square root, inverse 3/4 and
inverse frequency are settings of it. `effective_number` is Cui et al. 2019.

A class without a training row weighs 0 (its formula would be infinite, and no training row has it), except
where the exponent is 0, where every class weighs 1.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, PositiveFloat

from emoji_pred.errors import UserError


def power(
    class_counts: ArrayLike,
    *,
    exponent: Annotated[float, Field(ge=0, le=4)],
    scale: PositiveFloat | None = None,
    normalise: Literal["none", "classes"] = "none",
) -> NDArray[np.float64]:
    """Weigh class c by (scale / n_c)^exponent.

    Args:
        class_counts: (C,) rows of each class, n_c.
        exponent: p; 0 uniform, 1/2 inverse square root, 1 inverse frequency.
        scale: rows in the numerator; None is N / K, the rows of an average class: N all rows, K the classes
            that have one. With exponent 1 that is the "balanced" weight N / (K n_c), mean 1 over rows.
        normalise: "classes" rescales to mean 1 over the K classes, as Cui et al. 2019 do; "none" leaves them.

    Returns:
        (C,) weights.

    Raises:
        UserError: if no class has a row.
    """
    counts = _checked(class_counts)
    if exponent == 0:
        return np.ones_like(counts)
    present = counts > 0
    numerator = counts.sum() / present.sum() if scale is None else scale
    weights = np.zeros_like(counts)
    weights[present] = (numerator / counts[present]) ** exponent
    return _mean_one(weights) if normalise == "classes" else weights


def effective_number(
    class_counts: ArrayLike, *, beta: Annotated[float, Field(ge=0, lt=1)]
) -> NDArray[np.float64]:
    """Weigh class c by (1 - beta) / (1 - beta^n_c), mean 1 over classes (Cui et al. 2019, equations 2 and 4).

    Args:
        class_counts: (C,) rows of each class, n_c.
        beta: 0 is uniform; towards 1 the weights approach inverse frequency.

    Returns:
        (C,) weights.

    Raises:
        UserError: if no class has a row.
    """
    counts = _checked(class_counts)
    if beta == 0:
        return np.ones_like(counts)
    present = counts > 0
    weights = np.zeros_like(counts)
    # expm1 keeps the digits of 1 - beta^n where beta is close to 1.
    weights[present] = (1 - beta) / -np.expm1(counts[present] * np.log(beta))
    return _mean_one(weights)


def _mean_one(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return weights * (np.count_nonzero(weights) / weights.sum())


def _checked(class_counts: ArrayLike) -> NDArray[np.float64]:
    counts = np.asarray(class_counts, dtype=np.float64)
    if counts.ndim != 1 or not counts.any() or (counts < 0).any():
        raise UserError(f"class weights need a count per class, not all of them 0, not {counts.tolist()}")
    return counts
