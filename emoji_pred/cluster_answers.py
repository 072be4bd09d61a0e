"""Train on clusters of similar labels, and answer with the labels themselves by their frequency."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Clusters:
    """Which cluster each class belongs to, and what share of the cluster it is.

    Attributes:
        of: C cluster numbers, 0 to K - 1.
        shares: C fractions; those of a cluster sum to 1.
    """

    of: tuple[int, ...]
    shares: tuple[float, ...]

    @classmethod
    def by_frequency(cls, of: Sequence[int], class_counts: np.ndarray) -> Clusters:
        """Shares by training frequency; a class without a row counts as one row, so that it stays possible.

        Args:
            of: C cluster numbers.
            class_counts: (C,) training rows of each class.
        """
        counts = np.maximum(class_counts, 1)
        shares = counts / np.bincount(of, weights=counts)[np.asarray(of)]
        return cls(tuple(of), tuple(shares.tolist()))

    @property
    def count(self) -> int:
        """K."""
        return max(self.of) + 1

    def class_counts(self, counts: np.ndarray) -> np.ndarray:
        """Rows of each cluster, (K,) int64, from rows of each class, (C,)."""
        return np.bincount(self.of, weights=counts, minlength=self.count).astype(np.int64)

    def plain(self) -> dict[str, list[Any]]:
        """Plain values for a checkpoint: `Clusters.from_plain` reads them."""
        return {"of": list(self.of), "shares": list(self.shares)}

    @classmethod
    def from_plain(cls, values: Mapping[str, Sequence[Any]]) -> Clusters:
        """The clusters that `plain` gave."""
        return cls(tuple(map(int, values["of"])), tuple(map(float, values["shares"])))


class _Answers(nn.Module):
    """Cluster logits (B, K) to class logits (B, C): z_c = z_k(c) + log share(c).

    The softmax of the result is the probability of the cluster times the share of the class in it.
    """

    of: Tensor
    log_shares: Tensor

    def __init__(self, clusters: Clusters) -> None:
        super().__init__()
        # Not persistent: the weights in a checkpoint are those of the network alone.
        self.register_buffer("of", torch.tensor(clusters.of), persistent=False)
        shares = torch.tensor(clusters.shares, dtype=torch.float64).log().float()
        self.register_buffer("log_shares", shares, persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """Class logits (B, C), float32."""
        return logits.float()[:, self.of] + self.log_shares


def answer_with_labels(network: nn.Module, clusters: Clusters) -> nn.Module:
    """Let a network of K cluster logits answer with C class logits from now on; its weights keep their names.

    Args:
        network: its forward returns (B, K).
        clusters: of its K outputs.
    """
    answers = _Answers(clusters)
    network.add_module("cluster_answers", answers)  # moves with the network between devices
    network.register_forward_hook(lambda _module, _inputs, logits: answers(logits))
    return network


class ClusterLoss(nn.Module):
    """A loss on clusters, computed from class logits (B, C) and classes (B,).

    A cluster's logit is the log-sum-exp over its classes, which is what the network gave.

    Args:
        loss: on cluster logits (B, K) and clusters (B,), with class weights (K,) where it takes them.
        clusters: of the C classes.
    """

    of: Tensor
    first: Tensor
    log_shares: Tensor

    def __init__(self, loss: nn.Module, clusters: Clusters) -> None:
        super().__init__()
        self.loss = loss
        first = [clusters.of.index(cluster) for cluster in range(clusters.count)]
        shares = torch.tensor([clusters.shares[index] for index in first], dtype=torch.float64)
        self.register_buffer("of", torch.tensor(clusters.of), persistent=False)
        self.register_buffer("first", torch.tensor(first), persistent=False)
        self.register_buffer("log_shares", shares.log().float(), persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss: a scalar."""
        # Any class of a cluster gives its logit back; a log-sum-exp would cost more and lose digits.
        result: Tensor = self.loss(logits[:, self.first] - self.log_shares, self.of[targets])
        return result

    def normaliser(self, targets: Tensor) -> Tensor:
        """What the loss divides by: a scalar; a loss that does not say is a mean over rows."""
        normaliser: Callable[[Tensor], Tensor] | None = getattr(self.loss, "normaliser", None)
        if normaliser is None:
            return torch.tensor(float(len(targets)), device=targets.device)
        return normaliser(self.of[targets])
