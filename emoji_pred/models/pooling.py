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
