"""Tokenizing from the cache, and how much of a batch is padding."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred.batches import epoch_batches, padded_fraction
from emoji_pred.token_cache import tokenize
from experiments.bench.bert import best_encoder
from experiments.bench.measure import Finding, Row, seconds_row, spread, table
from experiments.bench.settings import Settings
from experiments.bench.subject import subject

SECOND_RUNS = 5


def padding(settings: Settings) -> Finding:
    """The share of padding in the training batches of the first epochs."""
    rows, lines = [], []
    for name, overrides in _models(settings).items():
        chosen = subject(settings, *overrides)
        lengths = np.diff(chosen.tokenized.splits["train"].offsets)
        size, buckets = chosen.config["model"]["batch_size"], chosen.config["bucket_batches"]
        fractions = [
            padded_fraction(lengths, epoch_batches(lengths, size, buckets, 0, epoch)) for epoch in range(3)
        ]
        shuffled = padded_fraction(lengths, epoch_batches(lengths, size, 1, 0, 0))
        fixed = 1 - lengths.sum() / (len(lengths) * max(64, lengths.max()))
        rows.append(
            Row(f"padding of {name}", max(fractions), "%", min(fractions), max(fractions), at_most=0.1)
        )
        shares = (f"{100 * share:.1f} %" for share in (max(fractions), shuffled, fixed))
        lines.append((name, size, f"{lengths.mean():.1f}", int(lengths.max()), *shares))
    header = (
        "tokens of",
        "batch",
        "mean length",
        "longest",
        "in buckets",
        "shuffled, to the longest",
        "to 64",
    )
    note = "The largest of 3 epochs. `to 64` is to the longest text of all where that is longer."
    return Finding(rows, [note, *table(header, lines)])


def tokenizing(settings: Settings) -> Finding:
    """All texts of the corpus through the tokenizer: the first run, and later ones from the cache."""
    rows, details = [], []
    for name, overrides in _models(settings).items():
        chosen = subject(settings, *overrides)
        texts = {split: part.texts for split, part in chosen.corpus.splits.items()}
        count = sum(map(len, texts.values()))
        with tempfile.TemporaryDirectory() as place:
            runs = [
                _seconds(texts, chosen.config["model"]["tokenizer"], chosen.config["encoder"], Path(place))
                for _ in range(1 + SECOND_RUNS)
            ]
        print(f"tokenize {name}: first {runs[0]:.2f} s, then {runs[1]:.3f} s", flush=True)
        rows.append(seconds_row(f"tokenizing {count:,} texts, second run, {name}", runs[1:], at_most=0.5))
        details.append(f"{name}: first run {runs[0]:.1f} s, second run {spread(runs[1:], 3)}.")
    return Finding(rows, details)


def _models(settings: Settings) -> dict[str, tuple[str, ...]]:
    encoder = best_encoder(settings)
    return {"cnn": ("model=cnn",), f"bert {encoder}": ("model=bert", f"encoder={encoder}")}


def _seconds(texts: Any, options: Any, encoder: Any, cache: Path) -> float:
    started = time.perf_counter()
    tokenize(texts, options, encoder, cache)
    return time.perf_counter() - started
