"""Padded batches out of ragged token ids, without Lightning: for evaluation and for prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from emoji_pred.tokenizers import Ragged

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


def pad(tokens: Ragged, rows: np.ndarray, pad_id: int) -> tuple[Tensor, Tensor]:
    """Gather rows of a ragged array into one batch, padded on the right to its longest row.

    In NumPy, whose small steps take a third of the time of torch's.

    Args:
        tokens: ids of all rows.
        rows: (B,) which of them, in the order of the batch.
        pad_id: the id that fills short rows.

    Returns:
        Ids (B, T) int64 and the mask (B, T) bool, true at real tokens.
    """
    starts = tokens.offsets[rows]
    lengths = tokens.offsets[rows + 1] - starts
    columns = np.arange(lengths.max())  # (T,)
    mask = columns < lengths[:, None]  # (B, T)
    # "clip", as the places of padding after the last row of all lie outside the array.
    ids = tokens.ids.take(starts[:, None] + columns, mode="clip")
    return torch.from_numpy(np.where(mask, ids, pad_id).astype(np.int64)), torch.from_numpy(mask)
