"""Word vectors that a word embedding starts from: trained on the training texts, or pretrained.

Each source is a function that a `vectors` config names. It gets the vocabulary and gives a row for each word;
shapes: V ids (padding, unknown word, then the words), D width.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PositiveInt

from emoji_pred.array_cache import cached_array
from emoji_pred.errors import UserError
from emoji_pred.runs import file_digest
from emoji_pred.tokenizers import Ragged

CACHE_VERSION = 1
FIRST_WORD = 2  # ids 0 and 1 are padding and any unknown word
Unknown = Literal["zero", "random"]


@dataclass(frozen=True)
class Vectors:
    """What the rows of a word embedding start as.

    Attributes:
        weights: (V, D) float32, a row for each token id; padding is zero.
        known: (V,) bool, whether the source has a vector of the word.
        train: whether they are trained with the network; else they stay as they are.
        source: plain values that say where they come from.
    """

    weights: np.ndarray
    known: np.ndarray
    train: bool
    source: dict[str, Any]

    @property
    def dim(self) -> int:
        """D."""
        return int(self.weights.shape[1])

    def figures(self, splits: Mapping[str, Ragged]) -> dict[str, Any]:
        """What a result says of the vectors: source, width, and which share of words and tokens has one."""
        shares = {split: float(self.known[rows.ids].mean()) for split, rows in splits.items()}
        return {
            **self.source,
            "dim": self.dim,
            "train": self.train,
            "words": len(self.known) - FIRST_WORD,
            "known_words": int(self.known.sum()),
            "known_token_share": shares,
        }


def none() -> None:
    """No vectors: an embedding is drawn at random, and trained."""


def word2vec(
    *,
    words: Sequence[str],
    tokens: Ragged,
    seed: int,
    cache_dir: Path,
    dim: PositiveInt = 100,
    window: PositiveInt = 5,
    epochs: PositiveInt = 5,
    algorithm: Literal["cbow", "skip_gram"] = "cbow",
    negative: PositiveInt = 5,
    sample: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-3,
    train: bool = False,
    unknown: Unknown = "zero",
) -> Vectors:
    """Train word2vec (Mikolov et al. 2013; gensim's) on the training texts, as the tokenizer splits them.

    Its vocabulary is the tokenizer's, so `model.tokenizer` says which words there are and how often they must
    occur. One thread trains, from the run's seed: the same texts give the same vectors to the last bit.
    (gensim 4 draws its first vectors from the seed alone, not from Python's hash of the words.) They are kept
    in the cache.

    Args:
        words: the vocabulary, without padding and unknown.
        tokens: ids of the training texts.
        seed: of the run.
        cache_dir: the vectors lie in `vectors/<key>.npz` below it.
        dim: D.
        window: words on either side that count as near.
        epochs: passes over the texts.
        algorithm: CBOW or skip-gram.
        negative: noise words of each word.
        sample: the frequency above which occurrences of a word are left out at random; 0 leaves none out.
        train: train the vectors with the network.
        unknown: words without a vector (those outside the vocabulary) start as zeros or at random.

    Raises:
        UserError: no gensim, or no word to learn from.
    """
    options: dict[str, Any] = {
        "vector_size": dim,
        "window": window,
        "epochs": epochs,
        "sg": int(algorithm == "skip_gram"),
    }
    options |= {"negative": negative, "sample": sample, "seed": seed}
    counts = np.bincount(tokens.ids, minlength=len(words) + FIRST_WORD)
    counts[:FIRST_WORD] = 0
    if not counts.any():
        raise UserError(
            "vectors=word2vec: no text of the training split has a word left; keep more words "
            "(model.tokenizer.stop_words, drop_punctuation, min_count), or choose vectors=none"
        )
    key = _word2vec_key(words, tokens, options)
    path = cache_dir / "vectors" / f"{key}.npz"
    weights = cached_array(path, lambda: _train_word2vec(words, tokens, counts, options), "vector")
    source = {"name": "word2vec", "gensim": importlib.metadata.version("gensim")}
    return _vectors(weights, counts > 0, train, unknown, seed, source)


def _word2vec_key(words: Sequence[str], tokens: Ragged, options: Mapping[str, Any]) -> str:
    """A digest of all that the vectors depend on."""
    try:
        packages = {name: importlib.metadata.version(name) for name in ("gensim", "numpy", "scipy")}
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            "vectors=word2vec needs the package gensim: pip install -e '.[word2vec]', or choose vectors=none"
        ) from None
    settings = {
        "version": CACHE_VERSION,
        "packages": packages,
        "options": dict(options),
        "words": list(words),
    }
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    digest.update(tokens.offsets.tobytes())
    digest.update(tokens.ids.tobytes())
    return digest.hexdigest()


def _train_word2vec(
    words: Sequence[str], tokens: Ragged, counts: np.ndarray, options: Mapping[str, Any]
) -> np.ndarray:
    """(V, D) vectors by token id; words that no text has stay zero."""
    from gensim.models import Word2Vec

    spelt = ["", "", *words]
    sentences = [[spelt[index] for index in row if index >= FIRST_WORD] for row in _rows(tokens)]
    present = np.flatnonzero(counts)
    frequencies = {spelt[index]: int(counts[index]) for index in present}
    with _quiet("gensim"):
        # Sorted already, with ties broken by the word: gensim's own sort of ties depends on the processor.
        model = Word2Vec(workers=1, min_count=1, sorted_vocab=0, **options)
        model.build_vocab_from_freq(frequencies, corpus_count=len(sentences))
        model.train(sentences, total_examples=len(sentences), epochs=model.epochs)
    weights = np.zeros((len(spelt), int(options["vector_size"])), dtype=np.float32)
    weights[present] = model.wv[[spelt[index] for index in present]]
    return weights


def _rows(tokens: Ragged) -> Iterator[list[int]]:
    return (tokens[row].tolist() for row in range(len(tokens)))


def navec(
    *,
    words: Sequence[str],
    seed: int,
    package: str,
    sha256: str,
    train: bool = False,
    unknown: Unknown = "zero",
) -> Vectors:
    """Look up the vocabulary in navec: pretrained Russian vectors, quantised (Kukushkin; GloVe).

    The vectors are of words in lower case; a word is looked up as it stands, then in lower case, then with е
    for ё. Only the rows of the vocabulary are unpacked.

    Args:
        words: the vocabulary, without padding and unknown.
        seed: of the run.
        package: `name/file`: the installed package that carries the file, and the file's place in it.
        sha256: the digest of the file.
        train: train the vectors with the network.
        unknown: words without a vector start as zeros or at random.

    Raises:
        UserError: the package or navec is not installed, or the file is another than the pinned one.
    """
    path = _packaged_file(package)
    if path is None or importlib.util.find_spec("navec") is None:
        raise UserError(
            f"vectors=navec: {package} or the package navec is not installed; pip install -e '.[navec]' "
            "brings both, or choose vectors=word2vec or vectors=none"
        )
    if file_digest(path) != sha256:
        raise UserError(
            f"vectors=navec: {path} is damaged or not the pinned file (its sha256 differs from "
            f"vectors.sha256); reinstall the package {package.partition('/')[0]}"
        )
    from navec import Navec

    table = Navec.load(path)
    found = {index: form for index, word in enumerate(words, FIRST_WORD) if (form := _spelling(word, table))}
    weights = np.zeros((len(words) + FIRST_WORD, int(table.pq.dim)), dtype=np.float32)
    known = np.zeros(len(weights), dtype=bool)
    if found:
        places = list(found)
        weights[places] = table.pq.sampled([table.vocab[form] for form in found.values()]).unpack()
        known[places] = True
    return _vectors(weights, known, train, unknown, seed, {"name": "navec", "id": str(table.meta.id)})


def _spelling(word: str, table: Any) -> str | None:
    """The form of a word of which there is a vector; `<unk>` and `<pad>` are no words."""
    lower = word.lower()
    forms = (word, lower, lower.replace("ё", "е"))
    return next((form for form in forms if form in table and not form.startswith("<")), None)


def _packaged_file(package: str) -> Path | None:
    """Find `name/file` without importing the package, which pulls in other libraries."""
    name, _, inside = package.partition("/")
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    for location in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(location) / inside).is_file():
            return Path(location) / inside
    return None


def _vectors(
    weights: np.ndarray, known: np.ndarray, train: bool, unknown: Unknown, seed: int, source: dict[str, Any]
) -> Vectors:
    """Fill the rows that the source has no vector for; padding stays zero."""
    if unknown == "random":
        lacking = np.flatnonzero(~known)[1:]  # without padding
        spread = float(weights[known].std()) if known.any() else 1.0
        drawn = np.random.default_rng(seed).standard_normal((len(lacking), weights.shape[1]))
        weights = weights.copy()
        weights[lacking] = (drawn * spread).astype(np.float32)
    return Vectors(weights, known, train, {**source, "unknown": unknown})


@contextlib.contextmanager
def _quiet(library: str) -> Iterator[None]:
    """Keep what a library logs, such as that a corpus is small, off the screen."""
    logger = logging.getLogger(library)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
