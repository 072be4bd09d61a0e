"""From the settings of a model to its network: for training, and again from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from emoji_pred import config as configuration
from emoji_pred.cluster_answers import Clusters, answer_with_labels
from emoji_pred.errors import UserError

Options = Mapping[str, Any]


def build_network(
    model: Options,
    encoder: Options | None,
    *,
    vocab_size: int,
    num_classes: int,
    pad_id: int,
    first_word_id: int | None = None,
    clusters: Clusters | None = None,
    longest: int = 0,
) -> nn.Module:
    """Instantiate `model.network`, with the pretrained encoder where its tokenizer is one's.

    What is random is drawn from torch's generator: the weights of an encoder of source `random` first.

    Args:
        model: the `model` config group; `name`, `network` and `tokenizer` of it.
        encoder: the `encoder` config group; not looked at for `tokenizer.kind: words`.
        vocab_size: ids that exist.
        num_classes: C.
        pad_id: the id of padding.
        first_word_id: where words stand beside an encoder's tokens, the id of the first of them.
        clusters: of the C classes, where the network learns clusters; it answers with the classes.
        longest: tokens of the longest text that will be read.

    Raises:
        UserError: a target that is not allowed, an encoder that cannot be loaded, or too few positions.
    """
    loaded = None
    if encoder is not None and model["tokenizer"]["kind"] != "words":
        loaded = _load_encoder(encoder, model["network"], longest)
    network: nn.Module = configuration.instantiate(
        model["network"],
        vocab_size=vocab_size,
        num_classes=num_classes if clusters is None else clusters.count,
        pad_id=pad_id,
        first_word_id=first_word_id,
        encoder=loaded,
    )
    _check_positions(longest, getattr(network, "max_positions", None), f"model={model['name']}")
    return network if clusters is None else answer_with_labels(network, clusters)


def max_tokens(network: nn.Module) -> int | None:
    """The longest text in tokens that a network can read; None where there is no limit."""
    from emoji_pred.pretrained import positions

    limits = [getattr(network, "max_positions", None), positions(network)]
    return min((limit for limit in limits if limit is not None), default=None)


def _load_encoder(options: Options, network: Options, longest: int) -> nn.Module:
    from emoji_pred.pretrained import load_encoder, positions

    try:
        encoder = load_encoder(options, network)
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        if options["source"] != "random":
            raise
        raise UserError(f"encoder={options['name']}: encoder.config gives no network ({error})") from error
    _check_positions(longest, positions(encoder), f"encoder={options['name']}")
    return encoder


def _check_positions(longest: int, positions: int | None, what: str) -> None:
    """Refuse a text that has more tokens than a network can tell the places of, before any training."""
    if positions is not None and longest > positions:
        raise UserError(
            f"{what} has {positions} positions, but a text has {longest} tokens; "
            f"set model.tokenizer.max_tokens={positions}"
        )
