"""Small transformer encoder over word embeddings (tweeteval paper, sections 2.1 and 3.3)."""

from __future__ import annotations

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from emoji_pred.errors import UserError
from emoji_pred.models.dropout import use_fast_dropout
from emoji_pred.models.pooling import masked_max


def sinusoidal_positions(positions: int, width: int) -> Tensor:
    """Return the position encoding of Vaswani et al. 2017, section 3.5: (positions, width)."""
    position = torch.arange(positions, dtype=torch.float32).unsqueeze(1)
    frequency = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10_000.0) / width))
    encoding = torch.empty(positions, width)
    encoding[:, 0::2] = torch.sin(position * frequency)
    encoding[:, 1::2] = torch.cos(position * frequency)
    return encoding


class EncoderLayer(nn.TransformerEncoderLayer):
    """torch's post-norm encoder layer, whose self-attention copies less: the same numbers to the bit.

    `nn.MultiheadAttention` takes queries, keys and values apart one by one; in the backward pass each of them
    comes back inside zeros for all three.
    """

    def _sa_block(
        self, x: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None, is_causal: bool = False
    ) -> Tensor:
        """Attend, states (B, T, D) to (B, T, D); the mask of padding (B, T) is 0 or -inf."""
        if attn_mask is not None or is_causal:
            return super()._sa_block(x, attn_mask, key_padding_mask, is_causal)
        attention = self.self_attn
        batch, tokens, width = x.shape
        heads = attention.num_heads
        # Tokens first, as torch has them: the products of its matrices sum in this order.
        packed = F.linear(x.transpose(0, 1), attention.in_proj_weight, attention.in_proj_bias)
        packed = packed.view(tokens, batch, 3, heads, width // heads).permute(2, 1, 3, 0, 4).contiguous()
        queries, keys, values = packed.unbind(0)  # (B, heads, T, D / heads) each
        padding = None if key_padding_mask is None else key_padding_mask.view(batch, 1, 1, tokens)
        dropout = attention.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(queries, keys, values, padding, dropout)
        attended = attention.out_proj(attended.permute(2, 0, 1, 3).reshape(tokens, batch, width))
        return self.dropout1(attended.transpose(0, 1))


class Transformer(nn.Module):
    """Embedding plus positions, post-norm encoder layers, max over tokens, classifier with one hidden layer.

    Args:
        vocab_size: rows of the embedding.
        num_classes: C.
        pad_id: token id of padding; its embedding stays zero.
        embedding_dim: D, even and a multiple of `heads`.
        layers: encoder layers.
        heads: attention heads of each layer.
        feed_forward_dim: inner width of each layer (not stated in the paper).
        classifier_dim: width of the hidden layer after pooling.
        dropout: fraction dropped inside the layers and before the output layer.
        embedding_dropout: fraction dropped of the sum of embeddings and positions.
        max_positions: longest text in tokens.
        scale_embedding: multiply embeddings by sqrt(D) (Vaswani et al., section 3.4). That brings embeddings
            drawn with variance 1/D to variance 1; torch draws them with variance 1, so it is off by default.

    Raises:
        UserError: if `embedding_dim` is odd or not a multiple of `heads`.
    """

    positions: Tensor

    def __init__(
        self,
        *,
        vocab_size: int,
        num_classes: int,
        pad_id: int,
        embedding_dim: PositiveInt = 128,
        layers: PositiveInt = 2,
        heads: PositiveInt = 2,
        feed_forward_dim: PositiveInt = 512,
        classifier_dim: PositiveInt = 128,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3,
        embedding_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        max_positions: PositiveInt = 512,
        scale_embedding: bool = False,
    ) -> None:
        super().__init__()
        if embedding_dim % heads or embedding_dim % 2:
            raise UserError(
                f"model.network.embedding_dim={embedding_dim} must be even and a multiple of "
                f"model.network.heads={heads}"
            )
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=pad_id)
        self.scale = math.sqrt(embedding_dim) if scale_embedding else 1.0
        self.max_positions = max_positions
        positions = sinusoidal_positions(max_positions, embedding_dim)
        self.register_buffer("positions", positions, persistent=False)  # it follows from the configuration
        self.embedding_dropout = nn.Dropout(embedding_dropout)
        layer = EncoderLayer(embedding_dim, heads, feed_forward_dim, dropout, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        for parameter in self.encoder.parameters():  # TransformerEncoder copies one layer: draw each anew
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        self.classifier = nn.Sequential(
            nn.Linear(embedding_dim, classifier_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(classifier_dim, num_classes),
        )
        use_fast_dropout(self)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Turn token ids (B, T) and their mask (B, T) into logits (B, C); T is at most `max_positions`."""
        tokens = input_ids.shape[1]
        embedded = self.embedding(input_ids)  # (B, T, D)
        if self.scale != 1.0:
            embedded = embedded * self.scale
        embedded = embedded + self.positions[:tokens]
        # No mask at all is the faster path of attention, with the same result.
        padding = None if bool(attention_mask.all()) else ~attention_mask
        states = self.encoder(self.embedding_dropout(embedded), src_key_padding_mask=padding)
        logits: Tensor = self.classifier(masked_max(states, attention_mask))
        return logits
