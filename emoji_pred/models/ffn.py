"""Feed-forward network over max-pooled word embeddings (tweeteval paper, sections 2.1 and 3.2)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt
from torch import Tensor, nn

from emoji_pred.models.pooling import masked_max


class FFN(nn.Module):
    """Embedding, max over tokens, then Linear-LayerNorm-ReLU-Dropout blocks and a linear output layer.

    The paper names ReLU, layer normalisation and dropout but not their order; this is the usual one.

    Args:
        vocab_size: rows of the embedding.
        num_classes: C.
        pad_id: token id of padding; its embedding stays zero.
        embedding_dim: D.
        hidden_dims: width of each block.
        dropout: fraction dropped after each block.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        num_classes: int,
        pad_id: int,
        embedding_dim: PositiveInt = 128,
        hidden_dims: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (256, 128, 64),
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=pad_id)
        blocks: list[nn.Module] = []
        width = embedding_dim
        for hidden in hidden_dims:
            blocks += [nn.Linear(width, hidden), nn.LayerNorm(hidden), nn.ReLU(), nn.Dropout(dropout)]
            width = hidden
        self.classifier = nn.Sequential(*blocks, nn.Linear(width, num_classes))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Turn token ids (B, T) and their mask (B, T) into logits (B, C)."""
        pooled: Tensor = masked_max(self.embedding(input_ids), attention_mask)  # (B, D)
        logits: Tensor = self.classifier(pooled)
        return logits
