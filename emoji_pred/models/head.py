"""The classifier on a vector of a text: hidden layers, each with ReLU and dropout, then the classes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def hidden_layers_head(
    width: int, hidden_dims: Sequence[int], num_classes: int, dropout: float
) -> nn.Sequential:
    """Build Linear-ReLU-Dropout blocks and a linear output layer; (B, width) in, raw logits (B, C) out.

    With `hidden_dims` 512, 512 and dropout 0.3 it is the classifier of the telegram_rus authors' code; the
    paper (equations 1 and 2) has one hidden layer.
    """
    layers: list[nn.Module] = []
    for hidden in hidden_dims:
        layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout)]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, num_classes))
