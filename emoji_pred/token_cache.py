"""Tokenize a corpus once: the ids of every split, kept on disk and shared by runs and processes."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred.array_cache import locked, warn_not_cached
from emoji_pred.pretrained import tokenizer_digest
from emoji_pred.tokenizers import EncoderTokenizer, Ragged, Tokenizer, WordTokenizer
from emoji_pred.vectors import Vectors
from emoji_pred.word_forms import word_packages

CACHE_VERSION = 1
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
        encoder: the `encoder` config group; looked at only for `kind: encoder`.
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
    tokenizer: Tokenizer
    if options["kind"] == "words":
        settings = {k: value for k, value in options.items() if k not in ("kind", "truncation_side")}
        settings["max_tokens"] = settings["max_tokens"] or 64
        tokenizer = WordTokenizer.train(texts["train"], **settings)
    else:
        tokenizer = EncoderTokenizer(encoder, options["max_tokens"], options.get("truncation_side"))
    splits = {}
    for split, rows in texts.items():
        chunks = [rows[start : start + 1000] for start in range(0, len(rows), 1000)]
        parts = [tokenizer.encode(chunk) for chunk in progress(chunks, f"tokenizing {split}")]
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        splits[split] = Ragged(np.concatenate([part.ids for part in parts]), offsets)
    return Tokenized(splits, tokenizer.vocab_size, tokenizer.pad_id, tokenizer.state(), cached=False)


def _cache_key(
    texts: Mapping[str, Sequence[str]], options: Mapping[str, Any], encoder: Mapping[str, Any]
) -> str:
    uses_encoder = options["kind"] == "encoder"
    packages = ["nltk"]
    if uses_encoder:
        packages = [
            "tokenizers",
            "transformers",
            *(["nltk", "emoji"] if encoder.get("normalise") == "tweet" else []),
        ]
    else:
        packages += word_packages(options.get("lemmatise"), options.get("stop_words"))
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
    temporary = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    try:
        for split, rows in tokenized.splits.items():
            np.save(temporary / f"{split}.ids.npy", rows.ids)
            np.save(temporary / f"{split}.offsets.npy", rows.offsets)
        meta = {
            "splits": list(tokenized.splits),
            "vocab_size": tokenized.vocab_size,
            "pad_id": tokenized.pad_id,
            "state": tokenized.state,
        }
        (temporary / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        digests = {path.name: file_digest(path) for path in sorted(temporary.iterdir())}
        (temporary / "digests.json").write_text(json.dumps(digests), encoding="utf-8")
        if directory.exists():  # corrupt, or it would have been read
            shutil.rmtree(directory)
        os.replace(temporary, directory)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _read_cache(directory: Path) -> Tokenized | None:
    try:
        digests = json.loads((directory / "digests.json").read_text(encoding="utf-8"))
        if any(file_digest(directory / name) != digest for name, digest in digests.items()):
            return None
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


def file_digest(path: Path) -> str:
    """The digest by which a file of a cache is known to be whole."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "blake2b").hexdigest()
