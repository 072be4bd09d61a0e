"""Convolutional network over word embeddings (tweeteval paper, sections 2.1 and 3.4; Kim 2014)."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt
from torch import Tensor, nn


class CNN(nn.Module):
    """Parallel convolutions of several widths, ReLU, max over positions, dropout, a linear output layer.

    A window belongs to the text if it starts at a real token; past the end of the text it sees zeros. So a
    text of one token works, and padding changes nothing.

    Args:
        vocab_size: rows of the embedding.
        num_classes: C.
        pad_id: token id of padding; its embedding stays zero.
        embedding_dim: D.
        kernel_sizes: window widths in tokens.
        filters: convolution filters of each width.
        dropout: fraction dropped before the output layer.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        num_classes: int,
        pad_id: int,
        embedding_dim: PositiveInt = 128,
        kernel_sizes: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (3, 4, 5),
        filters: PositiveInt = 128,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=pad_id)
        # A convolution over k tokens is a linear layer over their k concatenated embeddings: same numbers and
        # initial distribution as nn.Conv1d, but faster on CPU, because all widths share the concatenation.
        self.convolutions = nn.ModuleList(nn.Linear(k * embedding_dim, filters) for k in kernel_sizes)
        self.widest = max(kernel_sizes)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(len(kernel_sizes) * filters, num_classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Turn token ids (B, T) and their mask (B, T) into logits (B, C)."""
        logits: Tensor = self.classifier(self.dropout(self.features(input_ids, attention_mask)))
        return logits

    def features(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the largest activation of every filter over the text: (B, filters x widths)."""
        batch, tokens = input_ids.shape
        embedded = F.pad(self.embedding(input_ids), (0, 0, 0, self.widest - 1))  # (B, T + k - 1, D)
        windows = torch.cat([embedded[:, start : start + tokens] for start in range(self.widest)], dim=-1)
        windows = windows.view(batch * tokens, -1)  # (B T, k D)
        outside = ~attention_mask.unsqueeze(-1)
        pooled = []
        for convolution in self.convolutions:
            activations = convolution(windows[:, : convolution.in_features]).view(batch, tokens, -1)
            # Filling with 0 before the maximum is exact: ReLU, taken after it, never gives less.
            pooled.append(activations.masked_fill(outside, 0.0).amax(dim=1))
        return torch.cat(pooled, dim=-1).relu()
