"""Multi-scale attention over the token states of a pretrained encoder (tweeteval paper, 2.1 and 3.1)."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from emoji_pred.errors import UserError
from emoji_pred.models.dropout import use_fast_dropout
from emoji_pred.models.pooling import masked_mean


class MultiScaleAttentionClassifier(nn.Module):
    """Three attention streams and a convolution stream over token states, pooled, fused and classified.

    The paper tells the streams apart by their heads alone (word 8, phrase 4, sentence 2) and says that phrase
    level "handles local blocks". Here each stream has a window: `None` attends to all tokens, an odd number w
    to tokens at most w // 2 away. By default only the phrase stream is local. Each stream is averaged over
    the real tokens.

    Args:
        num_classes: C.
        encoder: a Hugging Face encoder of hidden width D, a multiple of every head count.
        word_heads, phrase_heads, sentence_heads: attention heads of each stream.
        word_window, phrase_window, sentence_window: tokens seen by each stream's attention, or None for all.
        conv_relu: ReLU between convolution and average pooling (not stated in the paper).
        fusion_dropout: fraction dropped after fusion from 4 D to D.
        classifier_dropout: fraction dropped between the two layers of the classifier.

    Raises:
        UserError: if D is not a multiple of a head count, or a window is even.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        encoder: nn.Module,
        word_heads: PositiveInt = 8,
        phrase_heads: PositiveInt = 4,
        sentence_heads: PositiveInt = 2,
        word_window: PositiveInt | None = None,
        phrase_window: PositiveInt | None = 5,
        sentence_window: PositiveInt | None = None,
        conv_relu: bool = False,
        fusion_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3,
        classifier_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2,
    ) -> None:
        super().__init__()
        width = encoder_width(encoder)
        self.heads = {"word": word_heads, "phrase": phrase_heads, "sentence": sentence_heads}
        self.windows = {"word": word_window, "phrase": phrase_window, "sentence": sentence_window}
        _check_streams(width, self.heads, self.windows)
        self.encoder = encoder
        # Queries, keys and values of every stream, in one multiplication.
        self.projection = nn.Linear(width, 3 * len(self.heads) * width)
        self.outputs = nn.ModuleDict({name: nn.Linear(width, width) for name in self.heads})
        self.convolution = nn.Conv1d(width, width, kernel_size=3, padding=1)
        self.conv_relu = conv_relu
        self.fusion = nn.Sequential(
            nn.Linear(4 * width, width), nn.LayerNorm(width), nn.ReLU(), nn.Dropout(fusion_dropout)
        )
        self.classifier = nn.Sequential(
            nn.Linear(width, width // 2),
            nn.ReLU(),
            nn.Dropout(classifier_dropout),
            nn.Linear(width // 2, num_classes),
        )
        use_fast_dropout(self)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Turn token ids (B, T) and their mask (B, T) into logits (B, C)."""
        encoded = self.encoder(input_ids=input_ids, attention_mask=attention_mask.long())
        streams = self.streams(encoded.last_hidden_state, attention_mask)
        logits: Tensor = self.classifier(self.fusion(streams))
        return logits

    def streams(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the pooled word, phrase, sentence and convolution streams of states (B, T, D): (B, 4 D)."""
        real = None if bool(attention_mask.all()) else attention_mask
        projected = self.projection(states).chunk(len(self.heads), dim=-1)  # each (B, T, 3 D)
        pooled = []
        for (name, heads), stream in zip(self.heads.items(), projected, strict=True):
            attended = attend(stream, heads, attention_scope(states, real, self.windows[name]))
            # The output projection is linear, so it may follow the average: same result, T times less work.
            pooled.append(self.outputs[name](masked_mean(attended, attention_mask)))
        return torch.cat([*pooled, self._convolved(states, attention_mask)], dim=-1)

    def _convolved(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        """Convolve over 3 tokens, with zeros around the text, and average over the real tokens: (B, D)."""
        states = states * attention_mask.unsqueeze(-1).to(states.dtype)
        if self.conv_relu:
            convolved = self.convolution(states.transpose(1, 2)).transpose(1, 2).relu()
            return masked_mean(convolved, attention_mask)
        return mean_of_convolution(states, attention_mask, self.convolution.weight, self.convolution.bias)


def attend(stream: Tensor, heads: int, scope: Tensor | None) -> Tensor:
    """Attend with projected queries, keys and values (B, T, 3 D) within `scope`: (B, T, D)."""
    batch, tokens, triple = stream.shape
    query, key, value = stream.view(batch, tokens, 3, heads, triple // (3 * heads)).permute(2, 0, 3, 1, 4)
    attended = F.scaled_dot_product_attention(query, key, value, attn_mask=scope)  # (B, heads, T, D / heads)
    return attended.transpose(1, 2).reshape(batch, tokens, triple // 3)


def attention_scope(states: Tensor, real: Tensor | None, window: int | None) -> Tensor | None:
    """Say which token sees which: a bool mask that broadcasts to (B, heads, T, T), None where all see all.

    Args:
        states: (B, T, D), for its shape and device.
        real: (B, T) bool, true at real tokens, or None if no text is padded.
        window: odd number of tokens around each token, or None.
    """
    if window is None:
        return None if real is None else real[:, None, None, :]
    position = torch.arange(states.shape[1], device=states.device)
    near = (position[:, None] - position).abs() <= window // 2  # (T, T)
    if real is None:
        return near
    # A padding token far from the text would see nothing, and a softmax over nothing is NaN: it sees itself.
    itself = position[:, None] == position
    return (near & real[:, None, None, :]) | itself


def mean_of_convolution(
    states: Tensor, attention_mask: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    """Average a width-3 convolution over each text without convolving: the mean of a linear map.

    Summed over the n tokens of a text, the left tap meets every token but the last, the middle tap every
    token, the right tap every token but the first.

    Args:
        states: (B, T, D), zero at padding, which stands on the right.
        attention_mask: (B, T) bool.
        weight: (D, D, 3) of nn.Conv1d.
        bias: (D,) or None.
    """
    lengths = attention_mask.sum(dim=1)
    total = states.sum(dim=1)  # (B, D)
    last = states[torch.arange(len(states), device=states.device), lengths - 1]
    met = torch.stack([total - last, total, total - states[:, 0]], dim=-1)  # (B, D, 3)
    met = met / lengths[:, None, None].to(states.dtype)
    return F.linear(met.flatten(1), weight.flatten(1), bias)


def encoder_width(encoder: nn.Module) -> int:
    """Return the hidden width D of a Hugging Face encoder.

    Raises:
        UserError: if the encoder's configuration does not say.
    """
    width = getattr(getattr(encoder, "config", None), "hidden_size", None)
    if not isinstance(width, int):
        raise UserError(f"encoder {type(encoder).__name__} has no config.hidden_size; choose another encoder")
    return width


def _check_streams(width: int, heads: dict[str, int], windows: dict[str, int | None]) -> None:
    for name, count in heads.items():
        if width % count:
            raise UserError(f"model.network.{name}_heads={count} must divide the encoder's width {width}")
    for name, window in windows.items():
        if window is not None and window % 2 == 0:
            raise UserError(f"model.network.{name}_window={window} must be an odd number of tokens or null")
