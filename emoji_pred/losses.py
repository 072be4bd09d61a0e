"""Losses on raw logits; all compute in float32 or wider, whatever the precision of the logits."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

Task = Literal["multiclass", "multilabel"]
Smoothing = Annotated[float, Field(ge=0, lt=1)]


def _at_least_float32(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


class _MeanOverRows(nn.Module):
    """What a loss divides by, so that the means of parts of a batch can be put together again."""

    def normaliser(self, targets: Tensor) -> Tensor:
        """Rows of the batch: a scalar."""
        return torch.tensor(float(len(targets)), device=targets.device)


class CrossEntropy(_MeanOverRows):
    """Cross-entropy, mean over the batch.

    Args:
        label_smoothing: fraction of the target spread evenly over all classes (as in torch).
    """

    task: ClassVar[Task] = "multiclass"
    uses_class_weights: ClassVar[bool] = False

    def __init__(self, *, label_smoothing: Smoothing = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits (B, C) for class indices (B,): a scalar."""
        return F.cross_entropy(_at_least_float32(logits), targets, label_smoothing=self.label_smoothing)


class WeightedCrossEntropy(nn.Module):
    """Cross-entropy with a weight per class, as torch defines it.

    The sum over the batch is divided by the sum of the batch's weights, not by B: only the ratios of the
    weights matter. (In `Focal` it is divided by B.)

    Args:
        class_weights: (C,) from an alpha schedule, or None for all ones.
        label_smoothing: fraction of the target spread evenly over all classes; class c's share is weighted by
            its own weight (as in torch).
    """

    task: ClassVar[Task] = "multiclass"
    uses_class_weights: ClassVar[bool] = True
    class_weights: Tensor | None

    def __init__(self, *, class_weights: Tensor | None = None, label_smoothing: Smoothing = 0.0) -> None:
        super().__init__()
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits (B, C) for class indices (B,): a scalar."""
        logits = _at_least_float32(logits)
        weights = None if self.class_weights is None else self.class_weights.to(logits.dtype)
        return F.cross_entropy(logits, targets, weight=weights, label_smoothing=self.label_smoothing)

    def normaliser(self, targets: Tensor) -> Tensor:
        """Sum of the weights of the batch's true classes: a scalar."""
        if self.class_weights is None:
            return torch.tensor(float(len(targets)), device=targets.device)
        return self.class_weights[targets].sum()


class Focal(_MeanOverRows):
    """Focal loss: mean over the batch of alpha_y (1 - p_y)^gamma CE (Lin et al. 2017, equation 5).

    The mean divides by B, so the size of the weights matters, not only their ratios. With gamma 0 and no
    weights it is cross-entropy. With label smoothing, CE is torch's smoothed cross-entropy of the row, while
    alpha_y and (1 - p_y)^gamma stay those of the true class and multiply the whole row.

    Args:
        class_weights: (C,) alpha of each class, or None for all ones.
        gamma: how much less an easy row counts; 0 switches it off.
        label_smoothing: fraction of the target spread evenly over all classes.
    """

    task: ClassVar[Task] = "multiclass"
    uses_class_weights: ClassVar[bool] = True
    class_weights: Tensor | None

    def __init__(
        self,
        *,
        class_weights: Tensor | None = None,
        gamma: Annotated[float, Field(ge=0)] = 1.5,
        label_smoothing: Smoothing = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.gamma = gamma
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits (B, C) for class indices (B,): a scalar."""
        log_p = _at_least_float32(logits).log_softmax(dim=-1)  # (B, C)
        nll = F.nll_loss(log_p, targets, reduction="none")  # (B,), -log p_y
        loss = nll
        if self.label_smoothing:
            loss = (1 - self.label_smoothing) * nll - self.label_smoothing * log_p.mean(dim=-1)
        if self.gamma:
            # 1 - p_y without cancellation; kept above 0, where the derivative of a power below 1 is infinite.
            missing = (-torch.expm1(-nll)).clamp_min(torch.finfo(nll.dtype).eps)
            loss = missing.pow(self.gamma) * loss
        if self.class_weights is not None:
            loss = self.class_weights.to(loss.dtype)[targets] * loss
        return loss.mean()


class BinaryCrossEntropy(_MeanOverRows):
    """One yes-or-no cross-entropy per class, mean over batch and classes: several labels per text."""

    task: ClassVar[Task] = "multilabel"
    uses_class_weights: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits (B, C) for multi-hot labels (B, C): a scalar."""
        logits = _at_least_float32(logits)
        return F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))
