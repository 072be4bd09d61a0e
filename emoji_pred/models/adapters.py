"""LoRA adapters on a pretrained encoder, by PEFT, and which layers they sit on (Hu et al. 2021)."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence

from torch import nn

from emoji_pred.errors import UserError

# What the projections of attention are called in an encoder's family (`config.model_type`).
_AS_BERT = {"query": "query", "key": "key", "value": "value"}
FAMILIES: dict[str, dict[str, str]] = {
    "bert": _AS_BERT,
    "roberta": _AS_BERT,
    "xlm-roberta": _AS_BERT,
    "camembert": _AS_BERT,
    "electra": _AS_BERT,
    "distilbert": {"query": "q_lin", "key": "k_lin", "value": "v_lin"},
}


def target_modules(encoder: nn.Module, wanted: Sequence[str] | None) -> list[str]:
    """The last names of the linear layers that get an adapter.

    Args:
        encoder: a Hugging Face encoder.
        wanted: `query`, `key` and `value`, whatever the family calls them, or last names of linear layers;
            None is query, key and value.

    Raises:
        UserError: the family is not known and nothing is named, or no linear layer has a name; both list the
            linear layers there are.
    """
    linear = _linear_layers(encoder)
    family = str(getattr(getattr(encoder, "config", None), "model_type", type(encoder).__name__))
    if wanted is None and family not in FAMILIES:
        raise UserError(
            f"model.network.target_modules: which layers of {family} are query, key and value is not known "
            f"(known: {', '.join(FAMILIES)}); name some of its linear layers: {', '.join(linear)}"
        )
    names = FAMILIES.get(family, {})
    targets = [names.get(name, name) for name in (wanted or _AS_BERT)]
    for name, target in zip(wanted or _AS_BERT, targets, strict=True):
        if target not in linear:
            raise UserError(
                f"model.network.target_modules: {family} has no linear layer {name}; "
                f"it has {', '.join(linear)}"
            )
    return targets


def _linear_layers(encoder: nn.Module) -> list[str]:
    """The last names of an encoder's linear layers, each once; those that are only numbered, in full."""
    names: dict[str, None] = {}
    for name, module in encoder.named_modules():
        if isinstance(module, nn.Linear):
            last = name.rpartition(".")[2]
            names[name if last.isdecimal() else last] = None
    return list(names)


def with_lora(
    encoder: nn.Module, *, rank: int, alpha: float, dropout: float, targets: Sequence[str]
) -> nn.Module:
    """The encoder with adapters on its `targets`: W + alpha / rank · B A; only A and B train.

    A is drawn from torch's generator and B is zero, so that it begins as the encoder was. The encoder itself
    is changed; it stands in `.base_model.model` of what is returned.
    """
    from peft import LoraConfig, get_peft_model

    options = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # a fraction is only divided by r
        lora_dropout=dropout,
        target_modules=list(targets),
        bias="none",
    )
    with warnings.catch_warnings():
        # PEFT asks by a name that transformers is about to drop.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        adapted: nn.Module = get_peft_model(encoder, options)
    return adapted


def merged(adapted: nn.Module) -> nn.Module:
    """A copy of the encoder with the adapters added to its weights: a plain encoder of the same answers."""
    whole: nn.Module = copy.deepcopy(adapted).merge_and_unload()  # type: ignore[operator]
    return whole
