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


class _OfLabels(_MeanOverRows):
    """A loss of several labels per text: yes or no for each class, from logits (B, C) and zeros and ones."""

    task: ClassVar[Task] = "multilabel"
    uses_class_weights: ClassVar[bool] = False


class BinaryCrossEntropy(_OfLabels):
    """One yes-or-no cross-entropy per class, mean over batch and classes: several labels per text."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits (B, C) for multi-hot labels (B, C): a scalar."""
        logits = _at_least_float32(logits)
        return F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))


class PositiveNegativeWeighted(_OfLabels):
    """Cross-entropy of each label, a given and a missing one weighted apart (emothreat paper, eq. 3 to 6).

    With N training rows, C classes and n_c rows that have label c, the weights are w+_c = N / (n_c C)
    (equation 3) and w-_c = N / ((N - n_c) C) (equation 4), so that over the training rows the given and the
    missing ones of each label weigh N / C alike. A row's loss is summed over the classes (equations 5 and 6,
    whose minus sign is missing in print); the mean over the rows is not stated, and assumed.

    The paper's heads have two outputs, z_0 and z_1, and a cross-entropy each. As -log softmax(z_0, z_1)_1 =
    softplus(z_0 - z_1) = -log sigmoid(z_1 - z_0), and likewise with 0 and 1 changed over, that is the binary
    cross-entropy of the logit z_1 - z_0, which is what a network here returns.

    A weight whose formula is infinite, of a label that all training rows have or none, is 0: no training row
    asks for it, and in validation such a term does not count.

    Args:
        positive_counts: (C,) training rows that have each label, n_c.
        rows: N.
    """

    positive_weights: Tensor
    negative_weights: Tensor

    def __init__(self, *, positive_counts: Tensor, rows: int) -> None:
        super().__init__()
        counts = positive_counts.to(torch.float64)
        share = rows / len(counts)
        for name, of_kind in (("positive_weights", counts), ("negative_weights", rows - counts)):
            weights = torch.where(of_kind > 0, share / of_kind.clamp(min=1), 0.0)
            self.register_buffer(name, weights.float(), persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits (B, C) for multi-hot labels (B, C): a scalar."""
        logits = _at_least_float32(logits)
        given = targets.to(torch.bool)
        weights = torch.where(given, self.positive_weights, self.negative_weights)
        nll = -F.logsigmoid(torch.where(given, logits, -logits))
        return (weights * nll).sum(dim=1).mean()


class Asymmetric(_OfLabels):
    """Asymmetric loss, which lets easy missing labels count least (Ridnik et al. 2021, equations 4 to 7).

    A given label costs (1 - p)^gamma_pos (-log p), a missing one p_m^gamma_neg (-log(1 - p_m)), where p_m =
    max(p - clip, 0): what is less probable than `clip` costs nothing. Summed over the classes, mean over the
    rows. With both gamma 0 and clip 0 it is C times the binary cross-entropy of `BinaryCrossEntropy`.

    Args:
        gamma_neg: how much less an easy missing label counts.
        gamma_pos: likewise for a given one; the paper recommends 0, its code's default is 1.
        clip: by how much the probability of a missing label is shifted down, m.
    """

    def __init__(
        self,
        *,
        gamma_neg: Annotated[float, Field(ge=0)] = 4.0,
        gamma_pos: Annotated[float, Field(ge=0)] = 0.0,
        clip: Annotated[float, Field(ge=0, lt=1)] = 0.05,
    ) -> None:
        super().__init__()
        self.gamma_neg, self.gamma_pos, self.clip = gamma_neg, gamma_pos, clip

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits (B, C) for multi-hot labels (B, C): a scalar."""
        logits = _at_least_float32(logits)
        given, missing = logits.sigmoid(), (-logits).sigmoid()  # p and 1 - p, both without cancellation
        of_given = -F.logsigmoid(logits) * _focus(missing, self.gamma_pos)
        if self.clip:
            shifted = (given - self.clip).clamp_min(0)
            # 1 - p_m is 1 - p + m, which is never 0.
            of_missing = -(missing + self.clip).clamp_max(1).log() * _focus(shifted, self.gamma_neg)
        else:
            of_missing = -F.logsigmoid(-logits) * _focus(given, self.gamma_neg)
        return torch.where(targets.to(torch.bool), of_given, of_missing).sum(dim=1).mean()


class FocalMultilabel(_OfLabels):
    """Focal loss of several labels: mean over rows and classes of alpha_c a (1 - p_t)^gamma (-log p_t).

    p_t is the probability of what is right, p for a given label and 1 - p for a missing one (Lin et al. 2017,
    equation 5). With gamma 0 and no weights it is `BinaryCrossEntropy`.

    Args:
        class_weights: (C,) alpha_c of each class, for given and missing labels alike, or None for all ones.
        gamma: how much less an easy label counts; 0 switches it off.
        positive_alpha: a of given labels, 1 - a being that of missing ones (Lin et al.: 0.25 with gamma 2);
            None: 1 for both.
    """

    uses_class_weights: ClassVar[bool] = True
    class_weights: Tensor | None

    def __init__(
        self,
        *,
        class_weights: Tensor | None = None,
        gamma: Annotated[float, Field(ge=0)] = 1.5,
        positive_alpha: Annotated[float, Field(gt=0, lt=1)] | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.gamma, self.positive_alpha = gamma, positive_alpha

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits (B, C) for multi-hot labels (B, C): a scalar."""
        logits = _at_least_float32(logits)
        given = targets.to(torch.bool)
        towards = torch.where(given, logits, -logits)  # p_t is its sigmoid
        loss = -F.logsigmoid(towards) * _focus((-towards).sigmoid(), self.gamma)
        if self.positive_alpha is not None:
            loss = loss * torch.where(given, self.positive_alpha, 1 - self.positive_alpha)
        if self.class_weights is not None:
            loss = self.class_weights.to(loss.dtype) * loss
        return loss.mean()


class DoubleSigmoid(_OfLabels):
    """The loss of the emothreat authors' notebook: the sigmoid of a logit is taken for a logit again.

    Binary cross-entropy with logits of sigmoid(z), mean over rows and classes. It is what is meant to be z's
    binary cross-entropy, and is not: sigmoid(sigmoid(z)) stays between 0.5 and 0.731, so a missing label
    costs at least log 2 and a given one at least 0.313. Kept to train what the notebook trained
    (`conf/model/multilabel_notebook.yaml`).
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits (B, C) for multi-hot labels (B, C): a scalar."""
        logits = _at_least_float32(logits)
        return F.binary_cross_entropy_with_logits(logits.sigmoid(), targets.to(logits.dtype))


def _focus(easy: Tensor, gamma: float) -> Tensor:
    """`easy`^gamma, kept from 0, where the derivative of a power below 1 is infinite."""
    return easy.clamp_min(torch.finfo(easy.dtype).eps).pow(gamma) if gamma else torch.ones_like(easy)
