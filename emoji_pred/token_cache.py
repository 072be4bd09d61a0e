"""Tokenize a corpus once: the ids of every split, kept on disk and shared by runs and processes."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred.array_cache import check_entry, locked, warn_not_cached, write_entry
from emoji_pred.pretrained import tokenizer_digest
from emoji_pred.tokenizers import EncoderAndWords, EncoderTokenizer, Ragged, Tokenizer, WordTokenizer
from emoji_pred.vectors import Vectors
from emoji_pred.word_forms import word_packages

CACHE_VERSION = 1
MOST_WORDS = 64  # of a text, where no limit is set
Progress = Callable[[Sequence[Any], str], Any]


@dataclass(frozen=True)
class Tokenized:
    """The token ids of every split and what a network must know of their vocabulary."""

    splits: dict[str, Ragged]
    vocab_size: int
    pad_id: int
    state: dict[str, Any]
    cached: bool
    vectors: Vectors | None = None  # that the words start from


def tokenize(
    texts: Mapping[str, Sequence[str]],
    options: Mapping[str, Any],
    encoder: Mapping[str, Any],
    cache_dir: Path,
    progress: Progress = lambda chunks, _: chunks,
) -> Tokenized:
    """Token ids of all splits, from the cache where the same texts were tokenized the same way before.

    Args:
        texts: cleaned texts of each split; the vocabulary is built on `train`.
        options: the `tokenizer` part of the model's config.
        encoder: the `encoder` config group; not looked at for `kind: words`.
        cache_dir: the cache lies in `tokens/<key>/` below it, the key covering texts, options and versions.
        progress: wraps the list of chunks to be tokenized, for a progress bar.
    """
    key = _cache_key(texts, options, encoder)
    directory = cache_dir / "tokens" / key
    cached = _read_cache(directory)
    if cached is not None:
        return cached
    with locked(directory, "token") as writable:
        cached = _read_cache(directory)  # another process may have built it while this one waited
        if cached is not None:
            return cached
        tokenized = _tokenize(texts, options, encoder, progress)
        if writable:
            try:
                _write_cache(directory, tokenized)
            except OSError as error:
                warn_not_cached(directory, error, "token")
    return tokenized


def _tokenize(
    texts: Mapping[str, Sequence[str]],
    options: Mapping[str, Any],
    encoder: Mapping[str, Any],
    progress: Progress,
) -> Tokenized:
    tokenizer = _tokenizer(texts["train"], options, encoder)
    splits = {}
    for split, rows in texts.items():
        chunks = [rows[start : start + 1000] for start in range(0, len(rows), 1000)]
        parts = [tokenizer.encode(chunk) for chunk in progress(chunks, f"tokenizing {split}")]
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        splits[split] = Ragged(np.concatenate([part.ids for part in parts]), offsets)
    return Tokenized(splits, tokenizer.vocab_size, tokenizer.pad_id, tokenizer.state(), cached=False)


def _tokenizer(train: Sequence[str], options: Mapping[str, Any], encoder: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that the options ask for, its vocabulary of words built on the training texts."""
    kind = options["kind"]
    of_words = {
        name: value
        for name, value in options.items()
        if name not in ("kind", "max_tokens", "truncation_side")
    }
    if kind == "words":
        return WordTokenizer.train(train, max_tokens=options["max_tokens"] or MOST_WORDS, **of_words)
    of_encoder = EncoderTokenizer(encoder, options["max_tokens"], options.get("truncation_side"))
    if kind == "encoder":
        return of_encoder
    return EncoderAndWords(of_encoder, WordTokenizer.train(train, max_tokens=MOST_WORDS, **of_words))


def _cache_key(
    texts: Mapping[str, Sequence[str]], options: Mapping[str, Any], encoder: Mapping[str, Any]
) -> str:
    uses_encoder = options["kind"] != "words"
    packages = []
    if uses_encoder:
        packages += ["tokenizers", "transformers"]
        packages += ["nltk", "emoji"] if encoder.get("normalise") == "tweet" else []
    if options["kind"] != "encoder":
        packages += ["nltk", *word_packages(options.get("lemmatise"), options.get("stop_words"))]
    settings = {
        "version": CACHE_VERSION,
        "packages": {name: importlib.metadata.version(name) for name in packages},
        "options": dict(options),
        "encoder": dict(encoder) if uses_encoder else None,
        "files": tokenizer_digest(encoder) if uses_encoder else None,
    }
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    for split, rows in texts.items():
        digest.update(f"{split}\0{len(rows)}\0".encode())
        # The lengths stand first: texts may hold any separator.
        digest.update(np.fromiter(map(len, rows), dtype=np.int64, count=len(rows)).tobytes())
        digest.update("".join(rows).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _write_cache(directory: Path, tokenized: Tokenized) -> None:
    def fill(place: Path) -> None:
        for split, rows in tokenized.splits.items():
            np.save(place / f"{split}.ids.npy", rows.ids)
            np.save(place / f"{split}.offsets.npy", rows.offsets)
        meta = {
            "splits": list(tokenized.splits),
            "vocab_size": tokenized.vocab_size,
            "pad_id": tokenized.pad_id,
            "state": tokenized.state,
        }
        (place / "meta.json").write_text(json.dumps(meta), encoding="utf-8")

    write_entry(directory, fill)


def _read_cache(directory: Path) -> Tokenized | None:
    try:
        check_entry(directory)
        meta = json.loads((directory / "meta.json").read_text(encoding="utf-8"))
        splits = {
            split: Ragged(
                np.load(directory / f"{split}.ids.npy"), np.load(directory / f"{split}.offsets.npy")
            )
            for split in meta["splits"]
        }
        return Tokenized(splits, meta["vocab_size"], meta["pad_id"], meta["state"], cached=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        return None
