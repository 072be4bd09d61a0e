"""Word vectors: gensim's and navec's own numbers, the same everywhere; networks that start from them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import random
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import REPOSITORY

from emoji_pred import config as configuration
from emoji_pred import vectors as sources
from emoji_pred.errors import UserError
from emoji_pred.models.word2vec import MeanOfVectors
from emoji_pred.token_cache import Tokenized, tokenize
from emoji_pred.tokenizers import Ragged, WordTokenizer
from emoji_pred.vectors import Vectors

Compose = Callable[..., dict[str, Any]]
Quick = Callable[..., list[str]]
NAVEC = "natasha/data/emb/navec_news_v1_1B_250K_300d_100q.tar"
needs_gensim = pytest.mark.skipif(
    not importlib.util.find_spec("gensim"), reason="the extra `word2vec` is not installed"
)
needs_navec = pytest.mark.skipif(
    not (importlib.util.find_spec("navec") and importlib.util.find_spec("natasha")),
    reason="the extra `navec` is not installed",
)


def texts(rows: int = 120) -> list[str]:
    """Invented texts whose words all occur differently often: word `w3` 3 + 1 times, and so on."""
    words = [f"w{number}" for number in range(24) for _ in range(number + 1)]
    random.Random(1).shuffle(words)
    size = len(words) // rows + 2
    made = [" ".join(words[start : start + size]) for start in range(0, len(words), size)]
    counts = Counter(" ".join(made).split())
    assert len(set(counts.values())) == len(counts) == 24
    return [*made, ""]


def tokenizer_and_ids(rows: list[str]) -> tuple[WordTokenizer, Ragged]:
    tokenizer = WordTokenizer.train(rows)
    return tokenizer, tokenizer.encode(rows)


def trained(place: Path, rows: list[str] | None = None, **options: Any) -> Vectors:
    tokenizer, tokens = tokenizer_and_ids(texts() if rows is None else rows)
    given = {"dim": 12, "window": 3, "seed": 5} | options
    return sources.word2vec(words=tokenizer.words, tokens=tokens, cache_dir=place, **given)


# --- word2vec


@needs_gensim
@pytest.mark.parametrize(
    ("ours", "gensims"),
    [
        ({}, {}),
        ({"algorithm": "skip_gram", "epochs": 2}, {"sg": 1, "epochs": 2}),
        ({"negative": 3, "sample": 0.0}, {"negative": 3, "sample": 0}),
    ],
)
def test_vectors_are_gensims_own(tmp_path: Path, ours: dict[str, Any], gensims: dict[str, Any]) -> None:
    from gensim.models import Word2Vec

    sentences = [text.split() for text in texts()]
    direct = Word2Vec(sentences, vector_size=12, window=3, min_count=1, workers=1, seed=5, **gensims).wv
    found = trained(tmp_path, **ours)
    tokenizer, _ = tokenizer_and_ids(texts())
    assert found.weights.shape == (24 + 2, 12)
    assert found.weights.dtype == np.float32
    for index, word in enumerate(tokenizer.words, start=2):
        np.testing.assert_array_equal(found.weights[index], direct[word])
    assert not found.weights[:2].any()
    assert found.known.tolist() == [False, False] + [True] * 24


@needs_gensim
def test_words_that_stand_beyond_the_limit_have_no_vector(tmp_path: Path) -> None:
    rows = ["a b a b far", "b a b a", "a b"]
    tokenizer = WordTokenizer.train(rows, max_tokens=4)
    found = sources.word2vec(
        words=tokenizer.words, tokens=tokenizer.encode(rows), seed=0, cache_dir=tmp_path, dim=4
    )
    assert tokenizer.words == ["a", "b", "far"]
    assert found.known.tolist() == [False, False, True, True, False]
    assert not found.weights[4].any()


SCRIPT = """
import hashlib, sys
from pathlib import Path
from emoji_pred.tokenizers import WordTokenizer
from emoji_pred.vectors import word2vec
rows = sys.argv[2:]
tokenizer = WordTokenizer.train(rows)
found = word2vec(words=tokenizer.words, tokens=tokenizer.encode(rows), seed=5, cache_dir=Path(sys.argv[1]))
print(hashlib.sha256(found.weights.tobytes()).hexdigest())
"""


@needs_gensim
def test_processes_train_the_same_to_the_last_bit(tmp_path: Path) -> None:
    rows = ["да нет ничья", "нет да", "ничья да нет да", *texts()]  # words that are tied, too
    digests = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / hash_seed), *rows]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=REPOSITORY, env=environment
        )
        digests.append(done.stdout)
        assert done.stderr == ""
    here = trained(tmp_path / "here", rows, dim=100, window=5)
    assert digests == [hashlib.sha256(here.weights.tobytes()).hexdigest() + "\n"] * 2


@needs_gensim
def test_vectors_are_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = trained(tmp_path)
    monkeypatch.setattr(sources, "_train_word2vec", lambda *_: pytest.fail("they are in the cache"))
    read = trained(tmp_path, train=True)
    np.testing.assert_array_equal(read.weights, built.weights)
    assert (read.train, built.train) == (True, False)
    filled = trained(tmp_path, unknown="random")
    np.testing.assert_array_equal(filled.weights[2:], built.weights[2:])


@needs_gensim
@pytest.mark.parametrize(
    "changed",
    [
        *({"seed": 6}, {"dim": 13}, {"window": 4}, {"epochs": 6}, {"negative": 4}, {"sample": 0.01}),
        *({"algorithm": "skip_gram"}, {"rows": list(reversed(texts()))}, {"rows": [*texts(), "w1"]}),
        {"rows": [text.replace("w3", "v3") for text in texts()]},
    ],
    ids=str,
)
def test_what_vectors_depend_on_is_in_their_key(tmp_path: Path, changed: dict[str, Any]) -> None:
    trained(tmp_path)
    trained(tmp_path, **changed)
    assert len(list(tmp_path.glob("vectors/*.npz"))) == 2


@needs_gensim
def test_other_versions_have_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, tokens = tokenizer_and_ids(texts())
    key = sources._word2vec_key(tokenizer.words, tokens, {})
    monkeypatch.setattr("importlib.metadata.version", lambda name: "999")
    assert sources._word2vec_key(tokenizer.words, tokens, {}) != key


def test_without_gensim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", lacking)
    with pytest.raises(
        UserError, match=r"vectors=word2vec needs the package gensim: pip install -e '\.\[word2vec\]'"
    ):
        trained(tmp_path)


def test_texts_without_a_word(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no text of the training split has a word left; keep more words"):
        trained(tmp_path, ["", " "])


def test_words_without_a_vector_are_drawn_from_the_seed(tmp_path: Path) -> None:
    weights = np.zeros((2002, 50), dtype=np.float32)
    known = np.zeros(2002, dtype=bool)
    known[2:1002] = True
    weights[known] = np.random.default_rng(0).standard_normal((1000, 50)) * 0.3
    drawn = [sources._vectors(weights, known, False, "random", seed, {}).weights for seed in (1, 1, 2)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert not drawn[0][0].any()  # padding
    np.testing.assert_array_equal(drawn[0][known], weights[known])
    assert drawn[0][1:][~known[1:]].std() == pytest.approx(0.3, rel=0.02)  # as far spread as the known ones
    assert not weights[1].any()  # the given ones are left alone


# --- navec


@pytest.fixture
def own_navec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A package with a small file in navec's format: invented vectors of four words, of six dimensions."""
    pytest.importorskip("navec", reason="the extra `navec` is not installed")
    from navec import Navec
    from navec.meta import Meta
    from navec.pq import PQ
    from navec.vocab import Vocab

    words = ["еж", "мир", "Ёж", "<unk>", "<pad>"]
    draw = np.random.default_rng(3)
    indexes = draw.integers(0, 256, (5, 3)).astype(np.uint8)
    codes = draw.standard_normal((3, 256, 2)).astype(np.float32)
    folder = tmp_path / "own_vectors"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise ImportError('the package is not to be imported')")
    quantised = PQ(5, 6, 3, 256, indexes, codes)
    Navec(Meta("own", 1), Vocab(words, [3, 2, 1, 0, 0]), quantised).dump(folder / "own.tar")
    monkeypatch.syspath_prepend(tmp_path)
    digest = hashlib.sha256((folder / "own.tar").read_bytes()).hexdigest()
    return {"package": "own_vectors/own.tar", "sha256": digest}


def test_a_word_is_looked_up_in_three_spellings(own_navec: dict[str, str], tmp_path: Path) -> None:
    from navec import Navec

    direct = Navec.load(tmp_path / "own_vectors" / "own.tar")
    words = ["МИР", "ёж", "Ёж", "ЁЖ", "мираж", "<unk>", "<pad>", "<UNK>"]
    found = sources.navec(words=words, seed=0, **own_navec)
    assert found.known.tolist() == [False, False, True, True, True, True, False, False, False, False]
    for row, word in zip(found.weights[2:6], ["мир", "еж", "Ёж", "еж"], strict=True):
        np.testing.assert_array_equal(row, direct[word])
    assert not found.weights[~found.known].any()
    assert (found.dim, found.source) == (6, {"name": "navec", "id": "own", "unknown": "zero"})


def test_a_file_that_is_not_the_pinned_one(own_navec: dict[str, str]) -> None:
    with pytest.raises(
        UserError, match=r"own\.tar is damaged or not the pinned file .*reinstall the package own_v"
    ):
        sources.navec(words=["мир"], seed=0, **(own_navec | {"sha256": "0" * 64}))


@pytest.mark.parametrize(
    "package", ["no_such_package/file.tar", "own_vectors/other.tar", "own_vectors", "", "../x"]
)
def test_a_package_that_is_not_there(own_navec: dict[str, str], package: str) -> None:
    with pytest.raises(UserError, match=r"is not installed; pip install -e '\.\[navec\]' brings both"):
        sources.navec(words=["мир"], seed=0, **(own_navec | {"package": package}))


@needs_navec
def test_rows_are_navecs_own(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    from navec import Navec
    from navec.pq import PQ

    options = compose("vectors=navec")["vectors"]
    path = sources._packaged_file(NAVEC)
    assert path is not None and options["package"] == NAVEC
    direct = Navec.load(path)
    sample = random.Random(0).sample(direct.vocab.words[:-2], 300)
    words = [*sample, "кот", "Ёлка", "❤", "приветик"]
    monkeypatch.setattr(PQ, "unpack", few_rows(PQ.unpack))
    found = configuration.instantiate(options, words=words, seed=0)
    assert found.weights.shape == (306, 300)
    for row, word in zip(found.weights[2:], [*sample, "кот", "ёлка"], strict=False):
        np.testing.assert_array_equal(row, direct[word])
    assert found.known.tolist() == [False] * 2 + [True] * 302 + [False] * 2
    assert "natasha" not in sys.modules


def few_rows(unpack: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """All 250,000 rows take 300 MB."""

    def limited(table: Any) -> Any:
        assert table.vectors < 1000
        return unpack(table)

    return limited


def test_coverage_is_the_share_of_tokens() -> None:
    weights = np.zeros((5, 2), dtype=np.float32)
    vectors = Vectors(weights, np.array([False, False, True, True, False]), True, {"name": "own"})
    splits = {"train": Ragged.from_rows([[2, 3, 4], [2]]), "test": Ragged.from_rows([[1], [4], [4, 3]])}
    assert vectors.figures(splits) == {
        "name": "own",
        "dim": 2,
        "train": True,
        "words": 3,
        "known_words": 2,
        "known_token_share": {"train": 3 / 4, "test": 1 / 4},
    }


# --- networks that start from them


@needs_gensim
def test_the_network_averages_gensims_vectors(compose: Compose, tmp_path: Path) -> None:
    rows = ["Кошки любят, и КОТОВ :)", "коты не любят кошек!", "кот и кошка", "и не в, ..."]
    tokenized = tokenize({"train": rows}, compose("model=word2vec")["model"]["tokenizer"], {}, tmp_path)
    assert sorted(tokenized.state["words"]) == ["кот", "кошка", "любить"]
    found = sources.word2vec(
        words=tokenized.state["words"], tokens=tokenized.splits["train"], seed=0, cache_dir=tmp_path
    )
    network = MeanOfVectors(vocab_size=tokenized.vocab_size, num_classes=3, pad_id=0)
    network.embedding.weight.data = torch.from_numpy(found.weights)

    by_word = {word: found.weights[index] for index, word in enumerate(tokenized.state["words"], start=2)}
    lemmas = [["кошка", "любить", "кот"], ["кот", "любить", "кошка"], ["кот", "кошка"], []]
    expected = np.stack(
        [np.mean([by_word[word] for word in row], axis=0) if row else np.zeros(100) for row in lemmas]
    )
    ids = [tokenized.splits["train"][row].tolist() for row in range(4)]
    assert ids[3] == [WordTokenizer.unknown_id]
    width = 9  # wider than the longest: the rest is padding
    batch = torch.tensor([[*row, *[0] * (width - len(row))] for row in ids])
    mask = torch.arange(width) < torch.tensor([[len(row)] for row in ids])
    mean = network.mean(batch, mask)
    np.testing.assert_allclose(mean.detach().numpy(), expected, rtol=1e-5, atol=1e-8)
    assert not mean[3].any()
    # What stands at padding does not count, nor does a word without a vector.
    np.testing.assert_array_equal(network.mean(torch.where(mask, batch, 2), mask).detach(), mean.detach())
    with_unknown = network.mean(
        torch.cat([torch.ones(4, 1, dtype=torch.long), batch], 1), torch.cat([mask[:, :1], mask], 1)
    )
    np.testing.assert_allclose(with_unknown.detach(), mean.detach(), rtol=1e-6, atol=1e-9)


def test_the_head_is_the_authors(compose: Compose) -> None:
    options = compose("model=word2vec")["model"]["network"]
    network = configuration.instantiate(options, vocab_size=9, num_classes=62, pad_id=0)
    layers = [type(layer).__name__ for layer in network.classifier]
    assert layers == ["Linear", "ReLU", "Dropout", "Linear", "ReLU", "Dropout", "Linear"]
    widths = [layer.out_features for layer in network.classifier if isinstance(layer, torch.nn.Linear)]
    assert widths == [512, 512, 62]
    assert {layer.p for layer in network.classifier if isinstance(layer, torch.nn.Dropout)} == {0.3}


def weights_of(result: Any) -> torch.Tensor:
    checkpoint = torch.load(result.directory / "best.ckpt", weights_only=True)
    weights: torch.Tensor = checkpoint["state_dict"]["network.embedding.weight"]
    return weights


def start_of(overrides: list[str], compose: Compose, workspace: Path) -> tuple[Tokenized, Vectors]:
    """The vectors that a run of the `train` fixture starts from, by the parts it is made of."""
    from emoji_pred.data.prepare import load_corpus

    config = compose(*overrides)
    corpus = load_corpus(config["data"], workspace / "data")
    splits = {split: rows.texts for split, rows in corpus.splits.items()}
    tokenized = tokenize(splits, config["model"]["tokenizer"], {}, workspace / "cache")
    vectors = configuration.instantiate(
        config["vectors"],
        words=tokenized.state["words"],
        tokens=tokenized.splits["train"],
        seed=config["seed"],
        cache_dir=workspace / "cache",
    )
    return tokenized, vectors


W2V = ("vectors=word2vec", "vectors.dim=6", "vectors.epochs=1")


@needs_gensim
@pytest.mark.parametrize("model", ["ffn", "cnn", "transformer"])
def test_frozen_vectors_stay_and_others_move(
    compose: Compose, quick: Quick, train: Callable[..., Any], workspace: Path, model: str
) -> None:
    frozen, trained = (quick(model, *W2V, f"vectors.train={answer}") for answer in ("false", "true"))
    tokenized, vectors = start_of(frozen, compose, workspace)
    start = torch.from_numpy(vectors.weights)
    stayed = train(*frozen)
    assert torch.equal(weights_of(stayed), start)
    moved = weights_of(train(*trained))
    seen = torch.from_numpy(np.unique(tokenized.splits["train"].ids)).long()
    changed = (moved != start).any(dim=1)
    assert changed[seen].float().mean() > 0.5
    assert not changed[0]  # padding
    parameters = stayed.result["parameters"]
    assert parameters["total"] - parameters["trainable"] == start.numel()


@needs_gensim
def test_rowwise_updates_leave_frozen_vectors_alone(
    compose: Compose, quick: Quick, train: Callable[..., Any], workspace: Path
) -> None:
    rowwise = ("model.embedding_updates=rowwise", "model.optimizer.weight_decay=0")
    for answer in ("false", "true"):
        overrides = quick("cnn", *W2V, *rowwise, f"vectors.train={answer}")
        _, vectors = start_of(overrides, compose, workspace)
        same = torch.equal(weights_of(train(*overrides)), torch.from_numpy(vectors.weights))
        assert same == (answer == "false")


@needs_gensim
def test_a_run_with_word2vec_repeats_bit_for_bit(
    quick: Quick, train: Callable[..., Any], tmp_path: Path
) -> None:
    pytest.importorskip("pymorphy3", reason="the extra `word2vec` is not installed")
    overrides = quick("word2vec", "data.language=ru", "loss=cross_entropy")
    first, second = (train(*overrides, runs_dir=tmp_path / name) for name in ("one", "two"))
    assert first.directory.name == second.directory.name
    digests = [result.result["files"]["predictions.parquet"] for result in (first, second)]
    assert digests[0] == digests[1]
    figures = first.result["provenance"]["vectors"]
    assert figures["name"] == "word2vec" and figures["dim"] == 8
    assert figures["known_words"] == figures["words"] == first.result["provenance"]["vocabulary"] - 2
    assert figures["known_token_share"]["test"] < figures["known_token_share"]["train"] <= 1
    assert first.result["provenance"]["identity"]["vectors"]["name"] == "word2vec"


@needs_gensim
def test_a_checkpoint_can_be_built_again(quick: Quick, train: Callable[..., Any]) -> None:
    """Without the vectors' source: the checkpoint says how wide the embedding is."""
    result = train(*quick("cnn", *W2V, "vectors.train=false"))
    checkpoint = torch.load(result.directory / "best.ckpt", weights_only=True)
    extras = checkpoint["emoji_pred"]
    assert extras["model"]["network"]["embedding_dim"] == 6
    network = configuration.instantiate(
        extras["model"]["network"],
        vocab_size=len(extras["tokenizer"]["words"]) + 2,
        num_classes=len(extras["label_names"]),
        pad_id=0,
    )
    network.load_state_dict(
        {
            key.removeprefix("network."): value
            for key, value in checkpoint["state_dict"].items()
            if key.startswith("network.")
        }
    )


@needs_navec
def test_words_start_from_navec_and_coverage_is_told(quick: Quick, command: Callable[..., Any]) -> None:
    overrides = quick("cnn", "vectors=navec", "trainer.max_steps=1")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        russian = command(*overrides, "data.language=ru")
    assert russian.code == 0
    assert "vectors=navec (300 dimensions) have " in russian.out
    with pytest.warns(UserWarning, match="vectors=navec have 0% of the words .* of the texts' language"):
        assert command(*overrides, "data.language=ur").code == 0


@needs_navec
def test_heads_that_do_not_divide_the_width_of_the_vectors(quick: Quick, command: Callable[..., Any]) -> None:
    ended = command(*quick("transformer", "vectors=navec", "model.network.heads=8"), "data.language=ru")
    assert ended.code == 2
    assert "model.network.embedding_dim=300 must be even and a multiple of model.network.heads=8" in ended.err
