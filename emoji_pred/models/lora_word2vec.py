"""A tuned encoder's vector of a text beside the mean of its word vectors (telegram_rus paper, section 7)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from emoji_pred.models.dropout import use_fast_dropout
from emoji_pred.models.lora import LoraClassifier, build_head
from emoji_pred.models.pooling import mean_of_known
from emoji_pred.models.tuned import Pooling, Probability, Scale, Targets


class LoraWithWords(LoraClassifier):
    """`LoraClassifier` whose head reads, after the encoder's vector of a text, the mean of its word vectors.

    That is the paper's third idea for what comes next: "concatenate word2vec with bert embeddings and train
    model on this embeddings". How the two are scaled is not said; they stand as they are.

    Args:
        vocab_size: ids of the encoder's tokens and of the words together.
        num_classes: C.
        pad_id: token id of padding.
        first_word_id: ids from here on are words; the first of them is the words' own padding.
        encoder: as for `LoraClassifier`, and so are all others but embedding_dim.
        embedding_dim: D of the word vectors, where none are given (`vectors=none`); otherwise D is theirs.
        encoder_training: `lora` or `full`.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        num_classes: int,
        pad_id: int,
        first_word_id: int,
        encoder: nn.Module,
        embedding_dim: PositiveInt = 100,
        encoder_training: Literal["lora", "full"] = "lora",
        lora_rank: PositiveInt = 8,
        lora_alpha: Scale = 32,
        lora_dropout: Probability = 0.0,
        target_modules: Targets | None = None,
        pooling: Pooling = "cls",
        pooler_untrained: bool = False,
        head: Literal["paper", "code"] = "paper",
        head_dim: PositiveInt = 512,
        head_dropout: Probability = 0.3,
    ) -> None:
        super().__init__(
            num_classes=num_classes,
            encoder=encoder,
            encoder_training=encoder_training,
            lora_rank=lora_rank,
            lora_alpha=lora_alpha,
            lora_dropout=lora_dropout,
            target_modules=target_modules,
            pooling=pooling,
            pooler_untrained=pooler_untrained,
            head=head,
            head_dim=head_dim,
            head_dropout=head_dropout,
        )
        self.pad_id, self.first_word_id = pad_id, first_word_id
        self.embedding = nn.Embedding(vocab_size - first_word_id, embedding_dim, padding_idx=0)
        width = self.width + embedding_dim
        self.head = build_head(head, width, head_dim, num_classes, head_dropout)
        use_fast_dropout(self.head)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Turn ids (B, T), a row the encoder's tokens and then words, and their mask into logits (B, C)."""
        is_word = input_ids >= self.first_word_id
        tokens = attention_mask & ~is_word
        longest = int(tokens.sum(dim=1).max())  # the encoder does not go over what stands after its tokens
        token_ids = input_ids.masked_fill(~tokens, self.pad_id)[:, :longest]
        of_text = self.pooled(token_ids, tokens[:, :longest])  # (B, hidden)
        words = (input_ids - self.first_word_id).clamp(min=0)
        of_words = mean_of_known(self.embedding(words), attention_mask & is_word)  # (B, D)
        logits: Tensor = self.head(torch.cat([of_text, of_words], dim=-1))
        return logits

    def merged_state(self) -> dict[str, Tensor]:
        """As `LoraClassifier.merged_state`, with the word vectors as `embedding.weight`."""
        weights = self.embedding.weight.detach().cpu().contiguous()
        return {**super().merged_state(), "embedding.weight": weights}
