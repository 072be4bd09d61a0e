"""A pretrained encoder, tuned by LoRA, in full or not at all, and its vector of a text: what heads read."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from emoji_pred import runs
from emoji_pred.models.adapters import merged, target_modules, with_lora
from emoji_pred.models.bert import encoder_width
from emoji_pred.models.pinned import LeavesOut, digest_of
from emoji_pred.models.pooling import masked_mean

Probability = Annotated[float, Field(ge=0, lt=1)]
Training = Literal["lora", "full", "frozen"]
Pooling = Literal["cls", "mean", "pooler"]
Scale = Annotated[float, Field(gt=0)]
Targets = Annotated[tuple[str, ...], Field(min_length=1)]


class TunedEncoder(LeavesOut):
    """Encoder and pooling; a network of this kind adds `head`, which maps vectors (B, D) to logits (B, C).

    What is saved of it leaves out what stays as the pinned encoder had it. With `encoder_training: frozen`
    the encoder computes as in evaluation, without dropout and without gradients, so a text has the same
    vector in every epoch, and a run computes it once (`frozen_vectors`). With `lora` and `full` its own
    dropout is on in training.

    Args:
        encoder: a Hugging Face encoder of hidden width D, with a pooler for `pooling: pooler`
            (`pretrained.load_encoder`).
        encoder_training: `lora`: only adapters and head train; `full`: everything; `frozen`: only the head.
        lora_rank, lora_alpha, lora_dropout, target_modules: of the adapters (`adapters`), for `lora` only.
        pooling: the text's vector (D,): of its first token, the mean over its tokens, or the pooler's (a
            dense layer and tanh on the first token, from the encoder's pre-training).

    Raises:
        UserError: layers that the encoder does not have (`adapters.target_modules`).
    """

    head: nn.Module

    def __init__(
        self,
        encoder: nn.Module,
        encoder_training: Training,
        lora_rank: int,
        lora_alpha: float,
        lora_dropout: float,
        target_modules: Sequence[str] | None,
        pooling: Pooling,
    ) -> None:
        super().__init__()
        untrained = frozenset(getattr(encoder, "untrained", ()))
        self.width = encoder_width(encoder)
        self.encoder_training, self.pooling = encoder_training, pooling
        self.encoder = _for_training(
            encoder, encoder_training, lora_rank, lora_alpha, lora_dropout, target_modules
        )
        self.leave_out("encoder", untrained)

    @property
    def is_frozen(self) -> bool:
        """Whether a text's pooled vector stays the same all through training."""
        return self.encoder_training == "frozen"

    def train(self, mode: bool = True) -> TunedEncoder:
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
