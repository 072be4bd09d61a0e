"""Vectors of a frozen encoder: those of the network, computed once, kept whole, and read again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emoji_pred import array_cache, frozen_vectors, runs
from emoji_pred.frozen_vectors import embed
from emoji_pred.models.lora import LoraClassifier
from emoji_pred.tokenizers import Ragged

PAD = 1
TOKENS = {
    "train": Ragged.from_rows([[2, 3, 4], [5], [6, 7, 8, 9, 10], [2, 3]]),
    "test": Ragged.from_rows([[9, 9], [4]]),
}


def network(seed: int = 0, pooling: str = "mean") -> LoraClassifier:
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    options = {"vocab_size": 12, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    encoder = BertModel(BertConfig(**options, intermediate_size=8, pad_token_id=PAD), add_pooling_layer=False)
    return LoraClassifier(
        num_classes=3, encoder=encoder, encoder_training="frozen", pooling=pooling, head_dim=4
    ).train()


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which splits were computed, and not read."""
    splits: list[str] = []
    compute = frozen_vectors._computed

    def noted(*arguments: Any) -> Any:
        splits.append(arguments[5])
        return compute(*arguments)

    monkeypatch.setattr(frozen_vectors, "_computed", noted)
    return splits


def test_vectors_are_those_of_each_text_alone(tmp_path: Path, computed: list[str]) -> None:
    model = network()
    found = embed(model, TOKENS, PAD, tmp_path)
    for split, tokens in TOKENS.items():
        assert (found[split].dtype, found[split].shape) == (np.float32, (len(tokens), 8))
        for row in range(len(tokens)):
            ids = torch.from_numpy(tokens[row].astype(np.int64))[None]
            alone = model.pooled(ids, torch.ones_like(ids, dtype=torch.bool))
            np.testing.assert_allclose(found[split][row], alone[0].numpy(), atol=1e-6)
    assert computed == ["train", "test"]
    again = embed(network(), TOKENS, PAD, tmp_path)
    assert computed == ["train", "test"], "read from the disk"
    for split in TOKENS:
        np.testing.assert_array_equal(again[split], found[split])


def test_a_vector_in_the_place_of_ids_has_the_same_logits(tmp_path: Path) -> None:
    model = network().eval()
    vectors = torch.from_numpy(np.array(embed(model, TOKENS, PAD, tmp_path)["test"]))
    ids = torch.tensor([[9, 9], [4, PAD]])
    expected = model(ids, ids != PAD)
    found = model(vectors, torch.ones(2, 1, dtype=torch.bool))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_the_key_covers_texts_weights_and_pooling(tmp_path: Path, computed: list[str]) -> None:
    embed(network(), TOKENS, PAD, tmp_path)
    others = [
        (network(seed=1), TOKENS),
        (network(pooling="cls"), TOKENS),
        (network(), {**TOKENS, "test": Ragged.from_rows([[9, 9], [5]])}),
        (network(), {**TOKENS, "test": Ragged.from_rows([[9], [9, 4]])}),
    ]
    for number, (model, tokens) in enumerate(others, start=2):
        embed(model, tokens, PAD, tmp_path)
        assert len(computed) == 2 * number
    assert len(list((tmp_path / "embeddings").glob("*/digests.json"))) == 5


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone", "no digests"])
def test_a_damaged_entry_is_computed_again(tmp_path: Path, computed: list[str], damage: str) -> None:
    first = {split: np.array(rows) for split, rows in embed(network(), TOKENS, PAD, tmp_path).items()}
    (path,) = tmp_path.rglob("digests.json" if damage == "no digests" else "train.npy")
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[-1] ^= 1
        path.write_bytes(content)
    elif damage == "cut":
        path.write_bytes(content[:-4])
    else:
        path.unlink()
    again = embed(network(), TOKENS, PAD, tmp_path)
    assert computed == ["train", "test"] * 2
    for split in TOKENS:
        np.testing.assert_array_equal(again[split], first[split])


def test_what_ends_while_it_is_written_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(array_cache, "file_digest", stopped)
        embed(network(), TOKENS, PAD, tmp_path)
    assert [path.suffix for path in (tmp_path / "embeddings").iterdir()] == [".lock"]
    assert embed(network(), TOKENS, PAD, tmp_path)["test"].shape == (2, 8)


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match=r"embedding cache .* cannot be written \(Not a directory\)"):
        found = embed(network(), TOKENS, PAD, tmp_path / "file")
    expected = embed(network(), TOKENS, PAD, tmp_path / "other")
    for split in TOKENS:
        np.testing.assert_array_equal(found[split], expected[split])


def test_the_network_is_left_as_it_was(tmp_path: Path) -> None:
    model = network()
    before = torch.get_rng_state()
    embed(model, TOKENS, PAD, tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.encoder.training
    assert model.head.training


def test_a_run_computes_them_once_and_ends_with_the_logits_of_the_network(
    train: Callable[..., Any], quick: Callable[..., list[str]], tmp_path: Path, computed: list[str]
) -> None:
    overrides = quick("lora", "model.network.encoder_training=frozen", "model.network.lora_rank=3")
    first = train(*overrides, runs_dir=tmp_path)
    assert computed == ["train", "validation", "test"]
    second = train(*overrides, "model.network.head=code", "model.max_epochs=2", runs_dir=tmp_path)
    assert computed == ["train", "validation", "test"], "another head, the same vectors"
    assert [row["epoch"] for row in second.result["curves"]] == [0, 1]
    saved = torch.load(first.directory / runs.CHECKPOINT, weights_only=True)
    kept = [name for name in saved["state_dict"] if not name.startswith("network.head.")]
    assert kept == ["network._extra_state"]
    result = json.loads((first.directory / runs.RESULT).read_text(encoding="utf-8"))
    assert result["parameters"]["trainable"] == (16 * 8 + 8) + (8 * 12 + 12)


def test_a_run_that_trains_its_encoder_has_no_vectors(
    train: Callable[..., Any], quick: Callable[..., list[str]], tmp_path: Path, computed: list[str]
) -> None:
    outcome = train(*quick("lora"), runs_dir=tmp_path)
    assert computed == []
    saved = torch.load(outcome.directory / runs.CHECKPOINT, weights_only=True)["state_dict"]
    others = {name for name in saved if not name.startswith("network.head.") and ".lora_" not in name}
    assert others == {"network._extra_state"}
