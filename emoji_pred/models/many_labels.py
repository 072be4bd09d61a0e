"""A pretrained encoder with heads for several labels a text (emothreat paper, section 4.1.2 and figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from emoji_pred.errors import UserError
from emoji_pred.models.dropout import use_fast_dropout
from emoji_pred.models.head import hidden_layers_head
from emoji_pred.models.tuned import Pooling, Probability, Scale, Targets, Training, TunedEncoder


class SevenHeads(TunedEncoder):
    """A network of its own for each label, side by side on the text's vector; each has two outputs.

    "Seven parallel feed forward dense layer networks", each "a binary classifier for its own class": seven
    are the paper's classes, here there are C. Label c is given with the probability softmax(z_c0, z_c1)_1,
    which is the sigmoid of z_c1 - z_c0: the logits (B, C) are those differences. Both outputs are trained all
    the same, so that an optimizer step is that of two-output heads.

    Args:
        num_classes: C.
        encoder, encoder_training, lora_rank, lora_alpha, lora_dropout, target_modules, pooling: as for
            `TunedEncoder`; the paper's are `full` and `cls`.
        pooler_untrained: as for `lora.LoraClassifier`.
        head_dims: widths of hidden layers in each head, with ReLU and dropout; none: one dense layer.
        head_dropout: fraction dropped after each hidden layer.

    Raises:
        UserError: layers that the encoder does not have (`adapters.target_modules`).
    """

    def __init__(
        self,
        *,
        num_classes: int,
        encoder: nn.Module,
        encoder_training: Training = "full",
        lora_rank: PositiveInt = 8,
        lora_alpha: Scale = 32,
        lora_dropout: Probability = 0.0,
        target_modules: Targets | None = None,
        pooling: Pooling = "cls",
        pooler_untrained: bool = False,
        head_dims: tuple[PositiveInt, ...] = (),
        head_dropout: Probability = 0.0,
    ) -> None:
        adapters = (lora_rank, lora_alpha, lora_dropout, target_modules)
        super().__init__(encoder, encoder_training, *adapters, pooling)
        self.head = ParallelHeads(num_classes, self.width, head_dims, head_dropout)
        use_fast_dropout(self)


class ParallelHeads(nn.Module):
    """C networks of two outputs (z_0, z_1) on the same vectors: (B, D) in, z_1 - z_0 (B, C) out."""

    def __init__(self, num_classes: int, width: int, hidden_dims: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.of_labels = nn.ModuleList(
            hidden_layers_head(width, hidden_dims, 2, dropout) for _ in range(num_classes)
        )

    def outputs(self, vectors: Tensor) -> Tensor:
        """Both outputs of each head, (B, C, 2), from vectors (B, D)."""
        return torch.stack([head(vectors) for head in self.of_labels], dim=1)

    def label_vectors(self) -> Tensor:
        """What a text's vector is multiplied by for each logit: (C, D).

        Raises:
            UserError: the heads have hidden layers, each its own, so that their weights do not compare.
        """
        layers = [module for module in self.modules() if isinstance(module, nn.Linear)]
        if len(layers) > len(self.of_labels):
            raise UserError("model.network.head_dims: heads with hidden layers share no space of labels")
        return torch.stack([layer.weight[1] - layer.weight[0] for layer in layers])

    def forward(self, vectors: Tensor) -> Tensor:
        """The logits (B, C) of vectors (B, D)."""
        no, yes = self.outputs(vectors).unbind(dim=-1)
        return yes - no


class Multilabel(TunedEncoder):
    """One logit for each label on the text's vector.

    Args:
        num_classes: C.
        encoder, encoder_training, lora_rank, lora_alpha, lora_dropout, target_modules, pooling: as for
            `TunedEncoder`.
        pooler_untrained: as for `lora.LoraClassifier`.
        head: `linear`: one layer, D to C; `notebook`: D, D // 2, C, the layers of the emothreat authors'
            notebook (768, 384, 7), with ReLU between (not known of it, assumed).
        head_dropout: fraction of the vector dropped before the head.

    Raises:
        UserError: layers that the encoder does not have (`adapters.target_modules`).
    """

    def __init__(
        self,
        *,
        num_classes: int,
        encoder: nn.Module,
        encoder_training: Training = "full",
        lora_rank: PositiveInt = 8,
        lora_alpha: Scale = 32,
        lora_dropout: Probability = 0.0,
        target_modules: Targets | None = None,
        pooling: Pooling = "cls",
        pooler_untrained: bool = False,
        head: Literal["linear", "notebook"] = "linear",
        head_dropout: Probability = 0.1,
    ) -> None:
        adapters = (lora_rank, lora_alpha, lora_dropout, target_modules)
        super().__init__(encoder, encoder_training, *adapters, pooling)
        hidden = (self.width // 2,) if head == "notebook" else ()
        layers = hidden_layers_head(self.width, hidden, num_classes, dropout=0.0)
        self.head = nn.Sequential(nn.Dropout(head_dropout), *layers)
        use_fast_dropout(self)
