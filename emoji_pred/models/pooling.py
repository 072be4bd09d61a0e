"""Pooling over tokens that leaves padding out."""

from __future__ import annotations

from torch import Tensor


def masked_max(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Take the largest activation of each dimension over the real tokens of a text.

    Args:
        states: (B, T, D) one vector per token.
        attention_mask: (B, T) bool, true at real tokens; at least one per text.

    Returns:
        (B, D).
    """
    return states.masked_fill(~attention_mask.unsqueeze(-1), float("-inf")).amax(dim=1)


def mean_of_known(embedded: Tensor, attention_mask: Tensor) -> Tensor:
    """Average the word vectors of a text; zeros stand for a word that has no vector, and do not count.

    Args:
        embedded: (B, T, D) one vector per word.
        attention_mask: (B, T) bool, true at words; a text may have none.

    Returns:
        (B, D); zeros for a text without a word that has a vector.
    """
    known = attention_mask & embedded.detach().ne(0).any(dim=-1)  # (B, T)
    real = known.unsqueeze(1).to(embedded.dtype)  # (B, 1, T)
    return (real @ embedded).squeeze(1) / real.sum(dim=-1).clamp(min=1)


def masked_mean(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Average the real tokens of a text.

    Args:
        states: (B, T, D) one vector per token.
        attention_mask: (B, T) bool, true at real tokens; at least one per text.

    Returns:
        (B, D).
    """
    real = attention_mask.unsqueeze(1).to(states.dtype)  # (B, 1, T)
    return (real @ states).squeeze(1) / real.sum(dim=-1)
