"""A pretrained encoder, tuned by LoRA, in full or not at all, with a head (telegram_rus paper, section 3)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from emoji_pred import runs
from emoji_pred.models.adapters import merged, target_modules, with_lora
from emoji_pred.models.bert import encoder_width
from emoji_pred.models.dropout import use_fast_dropout
from emoji_pred.models.head import hidden_layers_head
from emoji_pred.models.pinned import LeavesOut, digest_of
from emoji_pred.models.pooling import masked_mean

Probability = Annotated[float, Field(ge=0, lt=1)]


class LoraClassifier(LeavesOut):
    """Encoder, pooling, head. What is saved of it leaves out what stays as the pinned encoder had it.

    With `encoder_training: frozen` the encoder computes as in evaluation, without dropout and without
    gradients, so a text has the same vector in every epoch, and a run computes it once (`frozen_vectors`).
    With `lora` and `full` its own dropout is on in training.

    Args:
        num_classes: C.
        encoder: a Hugging Face encoder of hidden width D, with a pooler for `pooling: pooler`
            (`pretrained.load_encoder`).
        encoder_training: `lora`: only adapters and head train; `full`: everything; `frozen`: only the head.
        lora_rank, lora_alpha, lora_dropout, target_modules: of the adapters (`adapters`), for `lora` only.
        pooling: the text's vector (D,): of its first token, the mean over its tokens, or the pooler's (a
            dense layer and tanh on the first token, from the encoder's pre-training).
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
        encoder_training: Literal["lora", "full", "frozen"] = "lora",
        lora_rank: PositiveInt = 8,
        lora_alpha: Annotated[float, Field(gt=0)] = 32,
        lora_dropout: Probability = 0.0,
        target_modules: Annotated[tuple[str, ...], Field(min_length=1)] | None = None,
        pooling: Literal["cls", "mean", "pooler"] = "cls",
        pooler_untrained: bool = False,
        head: Literal["paper", "code"] = "paper",
        head_dim: PositiveInt = 512,
        head_dropout: Probability = 0.3,
    ) -> None:
        super().__init__()
        width = encoder_width(encoder)
        untrained = frozenset(getattr(encoder, "untrained", ()))
        self.encoder_training, self.pooling = encoder_training, pooling
        self.encoder = _for_training(
            encoder, encoder_training, lora_rank, lora_alpha, lora_dropout, target_modules
        )
        self.head = build_head(head, width, head_dim, num_classes, head_dropout)
        use_fast_dropout(self)
        self.leave_out("encoder", untrained)

    @property
    def is_frozen(self) -> bool:
        """Whether a text's pooled vector stays the same all through training."""
        return self.encoder_training == "frozen"

    def train(self, mode: bool = True) -> LoraClassifier:
        """Switch to training; an encoder that does not train stays in evaluation."""
        super().train(mode)
        if self.is_frozen:
            self.encoder.eval()
        return self

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Turn token ids (B, T) and their mask (B, T) into logits (B, C).

        Of a frozen encoder, what `pooled` gave for the texts (B, D) may stand in the place of the ids.
        """
        known = input_ids.is_floating_point()
        logits: Tensor = self.head(input_ids if known else self.pooled(input_ids, attention_mask))
        return logits

    def pooled(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The vector of each text (B, D), from token ids (B, T) and their mask (B, T)."""
        with torch.no_grad() if self.is_frozen else contextlib.nullcontext():
            encoded = self.encoder(input_ids=input_ids, attention_mask=attention_mask.long())
            if self.pooling == "pooler":
                vectors: Tensor = encoded.pooler_output
                return vectors
            states: Tensor = encoded.last_hidden_state  # (B, T, D)
            return states[:, 0] if self.pooling == "cls" else masked_mean(states, attention_mask)

    def merged_state(self) -> dict[str, Tensor]:
        """All weights with the adapters merged into the encoder's: they fit `encoder_training: full`.

        The names are those of that network: `encoder.` and the encoder's own, `head.`.
        """
        whole = merged(self.encoder) if self.encoder_training == "lora" else self.encoder
        parts: Mapping[str, nn.Module] = {"encoder": whole, "head": self.head}
        state = {
            f"{part}.{name}": value.detach().cpu().contiguous()
            for part, module in parts.items()
            for name, value in module.state_dict().items()
        }
        return {**state, "_extra_state": digest_of({})}  # nothing is left out

    def save_merged(self, path: Path, about: Mapping[str, str] | None = None) -> None:
        """Write `merged_state` as safetensors, with plain texts about it; the file is whole or not there."""
        from safetensors.torch import save

        with runs.replace_file(path) as stream:
            stream.write(save(self.merged_state(), {"format": "pt", **(about or {})}))


def _for_training(
    encoder: nn.Module, training: str, rank: int, alpha: float, dropout: float, wanted: Sequence[str] | None
) -> nn.Module:
    if training == "full":
        return encoder
    encoder.requires_grad_(False)
    if training == "frozen":
        return encoder
    targets = target_modules(encoder, wanted)
    return with_lora(encoder, rank=rank, alpha=alpha, dropout=dropout, targets=targets)


def build_head(kind: str, width: int, hidden: int, num_classes: int, dropout: float) -> nn.Sequential:
    """The head of the paper or of its authors' code: (B, width) in, raw logits (B, C) out."""
    if kind == "paper":
        return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))
    return hidden_layers_head(width, (hidden, hidden), num_classes, dropout)
