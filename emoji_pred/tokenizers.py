"""From texts to ragged token ids: a word vocabulary, or a pretrained encoder's tokenizer."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import numpy as np

from emoji_pred import word_forms
from emoji_pred.errors import UserError
from emoji_pred.tweet_tokenizer import tweet_tokenizer

CHARACTERS_A_TOKEN = 100  # no word of a tweet is longer


@dataclass(frozen=True)
class Ragged:
    """Sequences of different lengths in one array: row i is `ids[offsets[i]:offsets[i + 1]]`.

    Attributes:
        ids: (total tokens,) int32.
        offsets: (N + 1,) int64.
    """

    ids: np.ndarray
    offsets: np.ndarray

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[int]]) -> Ragged:
        """Pack sequences of ids."""
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        ids = np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=int(offsets[-1]))
        return cls(ids, offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """(N,) how many tokens each row has."""
        return np.diff(self.offsets)


class Tokenizer(Protocol):
    """Texts in, rows of token ids out; every row has at least one token."""

    pad_id: int

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Token ids of each text, truncated to the tokenizer's limit."""

    def state(self) -> dict[str, Any]:
        """Plain values from which the tokenizer can be built again."""


class WordTokenizer:
    """NLTK's TweetTokenizer and a vocabulary; id 0 is padding, 1 is any unknown word.

    Args:
        words: the vocabulary after the two special tokens, the most frequent first.
        max_tokens: longer texts are cut on the right.
        lowercase: fold case before looking up (emoticons keep theirs).
        lemmatise: language whose words are brought to their lemmas, in lower case; `ru` or None.
        stop_words: language whose stop words are left out, as they stand and as lemmas; None leaves none out.
        drop_punctuation: leave out what is punctuation alone, emoticons too.

    Raises:
        UserError: a language that is not known, or a package that is not installed (see `word_forms`).
    """

    pad_id, unknown_id = 0, 1

    def __init__(
        self,
        words: Sequence[str],
        max_tokens: int,
        lowercase: bool,
        lemmatise: str | None = None,
        stop_words: str | None = None,
        drop_punctuation: bool = False,
    ) -> None:
        self.words, self.max_tokens, self.lowercase = list(words), max_tokens, lowercase
        self.forms = {"lemmatise": lemmatise, "stop_words": stop_words, "drop_punctuation": drop_punctuation}
        self._cleaned = (
            _cleaner(lemmatise, stop_words, drop_punctuation) if any(self.forms.values()) else None
        )
        # Only words are looked up: a tweet that spells out a special token's name is unknown, not padding.
        self._ids = {word: index for index, word in enumerate(self.words, start=2)}
        self._split_whole = tweet_tokenizer(preserve_case=not lowercase).tokenize

    @classmethod
    def train(
        cls,
        texts: Sequence[str],
        *,
        max_tokens: int = 64,
        min_count: int = 1,
        max_size: int | None = None,
        lowercase: bool = False,
        **forms: Any,
    ) -> WordTokenizer:
        """Build the vocabulary of `texts`: words seen `min_count` times or more, at most `max_size`.

        `forms` are lemmatise, stop_words and drop_punctuation, as for the tokenizer itself.
        """
        tokenizer = cls([], max_tokens, lowercase, **forms)
        counts = Counter(chain.from_iterable(map(tokenizer._split, texts)))
        # Ties are broken by the word itself, so that the order of the rows does not matter.
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        words = [word for word, count in ranked if count >= min_count][:max_size]
        return cls(words, max_tokens, lowercase, **forms)

    def _split(self, text: str) -> list[str]:
        # NLTK's patterns take a time that grows with the square of a hostile text's length; what lies far
        # beyond the limit is cut off before.
        words: list[str] = self._split_whole(text[: self.max_tokens * CHARACTERS_A_TOKEN])
        return words if self._cleaned is None else self._cleaned(words)

    @property
    def vocab_size(self) -> int:
        """Words and the two special tokens."""
        return len(self._ids) + 2

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Token ids of each text; a text without a token becomes one unknown word."""
        look_up, unknown, split, limit = self._ids.get, self.unknown_id, self._split, self.max_tokens
        return Ragged.from_rows(
            [[look_up(word, unknown) for word in split(text)[:limit]] or [unknown] for text in texts]
        )

    def state(self) -> dict[str, Any]:
        """The vocabulary and the settings."""
        return {
            "kind": "words",
            "words": self.words,
            "max_tokens": self.max_tokens,
            "lowercase": self.lowercase,
            **self.forms,
        }


def _cleaner(
    lemmatise: str | None, stop_words: str | None, drop_punctuation: bool
) -> Callable[[list[str]], list[str]]:
    """A function from the words of a text to those that are kept, in the form that is counted."""
    lemma = word_forms.lemmatiser(lemmatise) if lemmatise else None
    stopped = word_forms.stop_words(stop_words) if stop_words else frozenset()

    def form(word: str) -> str:
        """The form of a word; empty where it is left out."""
        if drop_punctuation and word_forms.is_punctuation(word):
            return ""
        counted = lemma(word) if lemma else word
        return "" if word.lower() in stopped or counted.lower() in stopped else counted

    remembered = functools.lru_cache(maxsize=word_forms.REMEMBERED_WORDS)(form)
    return lambda words: [counted for counted in map(remembered, words) if counted]


class EncoderTokenizer:
    """A pretrained encoder's own tokenizer, with the encoder's normalisation, prefix and truncation side.

    Args:
        encoder: the `encoder` config group.
        max_tokens: limit with special tokens; None takes the encoder's own.
        truncation_side: where a long text is cut, `left` or `right`; None takes the encoder's own. The
            prefix stands before what is left of the text.

    Raises:
        UserError: the limit leaves no room for a text.
    """

    def __init__(
        self, encoder: Mapping[str, Any], max_tokens: int | None, truncation_side: str | None = None
    ) -> None:
        from emoji_pred.pretrained import load_fast_tokenizer

        side = truncation_side or encoder["truncation_side"]
        self.encoder = {**encoder, "truncation_side": side}
        self.max_tokens = max_tokens or int(encoder["max_tokens"])
        self._tokenizer = load_fast_tokenizer(self.encoder)
        self._tokenizer.truncation_side = side
        self.pad_id = int(self._tokenizer.pad_token_id)
        special = self._tokenizer.num_special_tokens_to_add()
        # Cut from the left, the text would lose its prefix: it is then cut behind it.
        self._first, self._last = self._around() if side == "left" and encoder["prefix"] else ([], [])
        special = max(special, len(self._first) + len(self._last))
        if self.max_tokens <= special:
            raise UserError(
                f"model.tokenizer.max_tokens={self.max_tokens} leaves no room for a text: "
                f"encoder={encoder['name']} puts {special} special tokens (and those of its prefix) around it"
            )

    @property
    def vocab_size(self) -> int:
        """Ids of the pretrained vocabulary, added tokens included."""
        return len(self._tokenizer)

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Token ids of each text with the encoder's special tokens."""
        if self.encoder["normalise"] == "tweet":
            from emoji_pred.text import normalise_tweet

            texts = [normalise_tweet(text) for text in texts]
        prefix = self.encoder["prefix"]
        limit: dict[str, Any] = {"truncation": True, "max_length": self.max_tokens}
        if self._first:
            limit = {"truncation": False, "verbose": False}
        rows = self._tokenizer([prefix + text for text in texts], **limit)["input_ids"]
        if self._first:
            rows = [self._cut_behind_prefix(row) for row in rows]
        return Ragged.from_rows([row or [self._tokenizer.unk_token_id] for row in rows])

    def _around(self) -> tuple[list[int], list[int]]:
        """The ids before a text, those of the prefix at their end, and the ids behind it."""
        # A space at the prefix' end belongs to the first word of the text in some vocabularies.
        prefix = self.encoder["prefix"].rstrip()
        bare = self._tokenizer(prefix, add_special_tokens=False)["input_ids"]
        whole = self._tokenizer(prefix)["input_ids"]
        starts = (place for place in range(len(whole)) if whole[place : place + len(bare)] == bare)
        end = next(starts) + len(bare)
        return whole[:end], whole[end:]

    def _cut_behind_prefix(self, row: list[int]) -> list[int]:
        if len(row) <= self.max_tokens:
            return row
        kept = self.max_tokens - len(self._first)  # the last tokens, special ones at their end
        return [*self._first, *row[-kept:]]

    def state(self) -> dict[str, Any]:
        """The encoder that names the tokenizer, and the limit."""
        return {"kind": "encoder", "encoder": self.encoder, "max_tokens": self.max_tokens}


class EncoderAndWords:
    """An encoder's tokens of a text and, after them, its words.

    The ids of words are those of the word vocabulary, counted from where the encoder's end. Padding is the
    encoder's.
    """

    def __init__(self, encoder: EncoderTokenizer, words: WordTokenizer) -> None:
        self.encoder, self.words = encoder, words
        self.pad_id, self.first_word_id = encoder.pad_id, encoder.vocab_size

    @property
    def vocab_size(self) -> int:
        """Ids of both, with padding and unknown word of the words' own."""
        return self.first_word_id + self.words.vocab_size

    def encode(self, texts: Sequence[str]) -> Ragged:
        """The ids of each text."""
        tokens, words = self.encoder.encode(texts), self.words.encode(texts)
        words = Ragged(words.ids + self.first_word_id, words.offsets)
        return Ragged.from_rows([[*tokens[row], *words[row]] for row in range(len(texts))])

    def state(self) -> dict[str, Any]:
        """The states of both, and the id of the first word."""
        parts = {"encoder": self.encoder.state(), "words": self.words.state()}
        return {"kind": "encoder_words", "first_word_id": self.first_word_id, **parts}


def word_state(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a tokenizer's `state()`, that of its word tokenizer."""
    inner: Mapping[str, Any] = state["words"] if state["kind"] == "encoder_words" else state
    return inner


def word_ids(rows: Ragged, state: Mapping[str, Any]) -> Ragged:
    """The ids of words in rows of tokens, counted by the word vocabulary."""
    first = state.get("first_word_id", 0)
    is_word = rows.ids >= first
    ends = np.concatenate([[0], np.cumsum(is_word)])[rows.offsets]
    return Ragged(rows.ids[is_word] - np.int32(first), ends)


def limited(state: Mapping[str, Any], tokens: int) -> dict[str, Any]:
    """A tokenizer's `state()` with at most so many tokens a text; words beside an encoder's do not count."""
    if state["kind"] == "encoder_words":
        return {**state, "encoder": limited(state["encoder"], tokens)}
    return {**state, "max_tokens": min(int(state["max_tokens"]), tokens)}


def from_state(state: Mapping[str, Any]) -> Tokenizer:
    """Build a tokenizer again from its `state()`."""
    if state["kind"] == "encoder_words":
        encoder, words = (from_state(state[part]) for part in ("encoder", "words"))
        assert isinstance(encoder, EncoderTokenizer) and isinstance(words, WordTokenizer)
        return EncoderAndWords(encoder, words)
    if state["kind"] == "words":
        # States written before there were forms have none of them.
        forms = {
            name: state[name] for name in ("lemmatise", "stop_words", "drop_punctuation") if name in state
        }
        return WordTokenizer(state["words"], state["max_tokens"], state["lowercase"], **forms)
    return EncoderTokenizer(state["encoder"], state["max_tokens"])
