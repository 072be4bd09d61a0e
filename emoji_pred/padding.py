"""Padded batches out of ragged token ids, without Lightning: for evaluation and for prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

EVALUATION_TOKENS = 8192  # padded tokens in a batch of evaluation: bounds its memory whatever the lengths


def evaluation_batches(lengths: np.ndarray, max_tokens: int = EVALUATION_TOKENS) -> list[np.ndarray]:
    """Batches by rising length, each of at most `max_tokens` padded tokens (at least one row)."""
    order = np.argsort(lengths, kind="stable")
    batches, start = [], 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end + 1 - start) * lengths[order[end]] > max_tokens:
            batches.append(order[start:end])
            start = end
    return batches


def pad(ids: Tensor, starts: Tensor, lengths: Tensor, pad_id: int) -> tuple[Tensor, Tensor]:
    """Gather rows of a ragged array into one batch, padded on the right to its longest row.

    Args:
        ids: (total tokens,) int64, all rows one after the other.
        starts: (B,) int64, where the rows of the batch begin.
        lengths: (B,) int64, how many tokens they have.
        pad_id: the id that fills short rows.

    Returns:
        Ids (B, T) int64 and the mask (B, T) bool, true at real tokens.
    """
    lengths = lengths.unsqueeze(1)  # (B, 1)
    columns = torch.arange(int(lengths.max()))  # (T,)
    mask = columns < lengths  # (B, T)
    positions = torch.where(mask, starts.unsqueeze(1) + columns, 0)
    return torch.where(mask, ids[positions], pad_id), mask
