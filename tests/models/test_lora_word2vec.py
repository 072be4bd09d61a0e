"""The encoder's vector beside the mean of word vectors: computed by hand, padded, saved, and run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emoji_pred.models.lora_word2vec import LoraWithWords

FIRST, WORDS, PAD, HIDDEN, WIDTH, CLASSES = 50, 9, 1, 16, 6, 5
# The encoder's tokens and the words of three texts; of the words' ids 1 is an unknown word, 8 has no vector.
TEXTS = [([4, 7, 9, 2], [2, 3, 3]), ([5, 2], [1, 8]), ([6, 8, 11, 13, 2], [4, 8, 1, 5, 6, 7])]


def encoder() -> nn.Module:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    sizes = {"hidden_size": HIDDEN, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=FIRST, max_position_embeddings=20, pad_token_id=PAD, **sizes)
    return BertModel(config, add_pooling_layer=False)


def build(**options: Any) -> LoraWithWords:
    shape = {"vocab_size": FIRST + WORDS, "num_classes": CLASSES, "pad_id": PAD, "first_word_id": FIRST}
    sizes = {"embedding_dim": WIDTH, "lora_rank": 2, "head_dim": 8}
    model = LoraWithWords(encoder=encoder(), **shape, **(sizes | options))
    with torch.no_grad():
        model.embedding.weight[[1, 8]] = 0
        for name, weight in model.named_parameters():
            if "lora_B" in name:  # adapters begin as nothing
                weight.normal_()
    return model.eval()


def batch(texts: Any = TEXTS, width: int = 0) -> tuple[Tensor, Tensor]:
    rows = [torch.tensor([*tokens, *(FIRST + word for word in words)]) for tokens, words in texts]
    width = max(width, *(len(row) for row in rows), 0)
    ids = torch.stack([F.pad(row, (0, width - len(row)), value=PAD) for row in rows])
    return ids, torch.arange(width) < torch.tensor([[len(row)] for row in rows])


@pytest.mark.parametrize("head", ["paper", "code"])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_logits_are_those_of_both_vectors_side_by_side(head: Any, pooling: Any) -> None:
    model = build(head=head, pooling=pooling)
    expected = []
    for tokens, words in TEXTS:
        states = model.encoder(input_ids=torch.tensor([tokens])).last_hidden_state[0]
        of_text = states[0] if pooling == "cls" else states.mean(0)
        known = [word for word in words if word not in (1, 8)]
        of_words = model.embedding.weight[known].mean(0) if known else torch.zeros(WIDTH)
        expected.append(model.head(torch.cat([of_text, of_words])))
    torch.testing.assert_close(model(*batch()), torch.stack(expected), atol=1e-5, rtol=1e-5)
    assert model.head[0].in_features == HIDDEN + WIDTH


@pytest.mark.parametrize("width", [0, 30])
def test_padding_changes_nothing(width: int) -> None:
    model = build()
    together = model(*batch(width=width))
    alone = torch.cat([model(*batch([text])) for text in TEXTS])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    assert together.std(dim=0).min() > 1e-3  # the texts do differ


def test_gradients_reach_adapters_words_and_head() -> None:
    model = build().train()
    model(*batch()).square().sum().backward()
    for name, weight in model.named_parameters():
        assert (weight.grad is not None and bool(weight.grad.any())) == weight.requires_grad, name
    moved = model.embedding.weight.grad.any(dim=1)
    assert moved.tolist() == [False, False, True, True, True, True, True, True, False]


def test_what_is_saved_leaves_the_encoder_out_and_keeps_the_words() -> None:
    model = build()
    state = model.state_dict()
    assert "embedding.weight" in state
    assert not [name for name in state if name.startswith("encoder.") and "lora" not in name]
    again = build()
    again.load_state_dict(state)
    assert torch.equal(again(*batch()), model(*batch()))


def test_merged_weights_fit_the_network_that_trains_in_full() -> None:
    model = build()
    full = build(encoder_training="full")
    full.load_state_dict(model.merged_state())
    torch.testing.assert_close(full(*batch()), model(*batch()), atol=1e-5, rtol=1e-4)


def test_runs_start_from_the_vectors(quick: Callable[..., list[str]], train: Callable[..., Any]) -> None:
    for package in ("gensim", "pymorphy3"):
        pytest.importorskip(package, reason="the extra `word2vec` is not installed")
    frozen, trained = (
        train(*quick("lora_word2vec", "data.language=ru", f"vectors.train={answer}"))
        for answer in ("false", "true")
    )
    checkpoint = torch.load(frozen.directory / "best.ckpt", weights_only=True)
    weights = checkpoint["state_dict"]["network.embedding.weight"]
    provenance = frozen.result["provenance"]
    assert weights.shape == (provenance["vectors"]["words"] + 2, 6)
    assert provenance["vectors"]["known_token_share"]["train"] > 0.99
    assert provenance["identity"]["encoder"]["name"] == "tiny"
    assert provenance["identity"]["vectors"]["name"] == "word2vec"
    first, second = (result.result["parameters"] for result in (frozen, trained))
    assert first["total"] == second["total"]
    assert second["trainable"] - first["trainable"] == weights.numel()
    state = checkpoint["emoji_pred"]["tokenizer"]
    assert len(state["words"]["words"]) == provenance["vectors"]["words"]
    assert checkpoint["emoji_pred"]["model"]["network"]["embedding_dim"] == 6
