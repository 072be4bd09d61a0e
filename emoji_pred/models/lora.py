"""A pretrained encoder, tuned by LoRA, in full or not at all, with a head (telegram_rus paper, section 3)."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt
from torch import nn

from emoji_pred.models.dropout import use_fast_dropout
from emoji_pred.models.head import hidden_layers_head
from emoji_pred.models.tuned import Pooling, Probability, Scale, Targets, Training, TunedEncoder


class LoraClassifier(TunedEncoder):
    """Encoder, pooling (`tuned.TunedEncoder`) and the head of the paper or of its authors' code.

    Args:
        num_classes: C.
        encoder, encoder_training, lora_rank, lora_alpha, lora_dropout, target_modules, pooling: as for
            `TunedEncoder`.
        pooler_untrained: have the pooler also where the checkpoint has no weights for it (the authors' code
            with ru-en-RoSBERTa); it is then random, and trains only with `full`.
        head: `paper`: W2 ReLU(W1 h), equations 1 and 2; `code`: D, head_dim, head_dim, C with ReLU and
            dropout between.
        head_dim: width of the head; the paper does not state it, the code has 512.
        head_dropout: fraction dropped in the head of `code`.

    Raises:
        UserError: layers that the encoder does not have (`adapters.target_modules`).
    """

    def __init__(
        self,
        *,
        num_classes: int,
        encoder: nn.Module,
        encoder_training: Training = "lora",
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
        adapters = (lora_rank, lora_alpha, lora_dropout, target_modules)
        super().__init__(encoder, encoder_training, *adapters, pooling)
        self.head = build_head(head, self.width, head_dim, num_classes, head_dropout)
        use_fast_dropout(self)


def build_head(kind: str, width: int, hidden: int, num_classes: int, dropout: float) -> nn.Sequential:
    """The head of the paper or of its authors' code: (B, width) in, raw logits (B, C) out."""
    if kind == "paper":
        return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))
    return hidden_layers_head(width, (hidden, hidden), num_classes, dropout)
