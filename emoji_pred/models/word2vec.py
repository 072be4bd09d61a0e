"""Average of word vectors and an MLP (telegram_rus paper, section 5.3, the word2vec baseline)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt
from torch import Tensor, nn

from emoji_pred.models.head import hidden_layers_head


class MeanOfVectors(nn.Module):
    """The mean of the vectors of a text's words, then hidden layers.

    A word whose vector is all zeros has none, and does not count; nor does padding. A text without any word
    that has a vector, such as an empty one, is the zero vector.

    Args:
        vocab_size: rows of the embedding.
        num_classes: C.
        pad_id: token id of padding; its embedding stays zero.
        embedding_dim: D, where no vectors are given (`vectors=none`); otherwise D is theirs.
        hidden_dims: width of each hidden layer.
        dropout: fraction dropped after each hidden layer.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        num_classes: int,
        pad_id: int,
        embedding_dim: PositiveInt = 100,
        hidden_dims: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (512, 512),
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=pad_id)
        self.classifier = hidden_layers_head(embedding_dim, hidden_dims, num_classes, dropout)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Turn token ids (B, T) and their mask (B, T) into logits (B, C)."""
        logits: Tensor = self.classifier(self.mean(input_ids, attention_mask))
        return logits

    def mean(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The mean vector of each text: (B, D)."""
        embedded = self.embedding(input_ids)  # (B, T, D)
        counted = attention_mask & embedded.detach().ne(0).any(dim=-1)  # (B, T)
        real = counted.unsqueeze(1).to(embedded.dtype)  # (B, 1, T)
        mean: Tensor = (real @ embedded).squeeze(1) / real.sum(dim=-1).clamp(min=1)
        return mean
