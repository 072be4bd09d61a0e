"""TweetEval emoji prediction: 20 emoji, one per tweet (Barbieri et al. 2018, 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred.data.corpus import Corpus, Split
from emoji_pred.data.sources import Source
from emoji_pred.data.tables import Reading, read_mapping
from emoji_pred.errors import UserError

CITATION = (
    "Barbieri et al. 2020, TweetEval: Unified Benchmark and Comparative Evaluation for Tweet Classification, "
    "Findings of EMNLP; data of Barbieri et al. 2018, SemEval-2018 Task 2: Multilingual Emoji Prediction"
)
_PREFIXES = {"train": "train", "validation": "val", "test": "test"}
_READING = Reading(encoding="utf-8")
_NEEDED = ("mapping.txt", *(f"{p}_{kind}.txt" for p in _PREFIXES.values() for kind in ("text", "labels")))


def load_tweeteval(*, data_dir: Path, source: Source | Mapping[str, Any]) -> Corpus:
    """Load the three splits as distributed: 45,000 / 5,000 / 50,000 tweets, 20 classes.

    Raises:
        UserError: a file cannot be had, or does not hold what its name says.
    """
    pins = Source.of(source)
    paths = pins.fetch(_NEEDED, data_dir)
    splits = {
        split: _read_split(split, paths[f"{prefix}_text.txt"], paths[f"{prefix}_labels.txt"])
        for split, prefix in _PREFIXES.items()
    }
    return Corpus(
        name="tweeteval",
        task="multiclass",
        label_names=read_mapping(paths["mapping.txt"], _READING.lines(paths["mapping.txt"])),
        splits=splits,
        provenance={
            "citation": CITATION,
            **pins.as_provenance(),
            "rows": {name: len(split) for name, split in splits.items()},
        },
    )


def _read_split(name: str, text_path: Path, label_path: Path) -> Split:
    texts = _READING.lines(text_path)
    written = _READING.lines(label_path)
    if len(texts) != len(written):
        raise UserError(f"{text_path} has {len(texts)} texts, {label_path.name} has {len(written)} labels")
    try:
        labels = np.array([int(label) for label in written], dtype=np.int64)
    except ValueError as error:
        raise UserError(f"{label_path}: a label is not a number ({error})") from None
    return Split(texts=texts, labels=labels, row_ids=[f"{name}/{row}" for row in range(len(texts))])
