"""What is measured: a composed configuration, its corpus and tokens, and training them as `train.py` does."""

from __future__ import annotations

import contextlib
import functools
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

# First, because it imports Lightning without the transformers package.
from emoji_pred.trainer import CANDIDATE, build_trainer
from emoji_pred.training import build_batches, build_classifier, embedded

import lightning.pytorch as pl  # isort: skip
import torch

from emoji_pred.batches import Batches
from emoji_pred.classifier import Classifier
from emoji_pred.data.corpus import Corpus
from emoji_pred.data.prepare import load_corpus
from emoji_pred.lease import check_not_lost, held
from emoji_pred.loggers import build_logger
from emoji_pred.resume import SaveState
from emoji_pred.signals import StopRequest
from emoji_pred.token_cache import Tokenized, tokenize
from emoji_pred.tokenizers import Ragged
from experiments import profiles
from experiments.bench.measure import finish_device_work, quiet
from experiments.bench.settings import Settings


@dataclass(frozen=True)
class Subject:
    """One configuration with its data, ready to be trained."""

    config: dict[str, Any]
    corpus: Corpus
    tokenized: Tokenized

    @property
    def rows(self) -> int:
        """Training rows."""
        return len(self.corpus.splits["train"])

    def fresh(self, embedded_once: bool = True) -> tuple[Classifier, Batches]:
        """A seeded classifier and its batches; without `embedded_once` a frozen encoder reads ids too."""
        pl.seed_everything(self.config["seed"], verbose=False)
        classifier = build_classifier(self.config, self.corpus, self.tokenized)
        vectors = embedded(self.config, classifier.network, self.tokenized) if embedded_once else None
        return classifier, build_batches(self.config, self.corpus, self.tokenized, vectors)


def composed(settings: Settings, *overrides: str) -> dict[str, Any]:
    """The configuration that `train.py` would run with these overrides."""
    own = [
        f"data={settings.data}",
        f"data_dir={settings.data_dir}",
        f"cache_dir={settings.cache_dir}",
        f"trainer={settings.trainer}",
        "trainer.progress=none",
    ]
    return profiles.composed([*own, *overrides])


@functools.lru_cache(maxsize=4)
def subject(
    settings: Settings, *overrides: str, rows: int = 0, validation_rows: int = 0, test_rows: int = 0
) -> Subject:
    """Configuration, corpus and tokens; at most so many rows of a split (0: all), drawn with a fixed seed."""
    config = composed(settings, *overrides)
    corpus = load_corpus(config["data"], Path(config["data_dir"]))
    texts = {split: part.texts for split, part in corpus.splits.items()}
    cache = Path(config["cache_dir"]).expanduser()
    tokenized = tokenize(texts, config["model"]["tokenizer"], config["encoder"], cache)
    whole = Subject(config, corpus, tokenized)
    return _fewer(_fewer(_fewer(whole, "train", rows), "validation", validation_rows), "test", test_rows)


def _fewer(whole: Subject, split: str, rows: int) -> Subject:
    if split not in whole.corpus.splits:
        return whole
    part, ids = whole.corpus.splits[split], whole.tokenized.splits[split]
    if not rows or rows >= len(part):
        return whole
    drawn = np.sort(np.random.default_rng(0).permutation(len(part))[:rows])
    splits = {**whole.corpus.splits, split: part.take(drawn)}
    tokens = {**whole.tokenized.splits, split: Ragged.from_rows([ids[row].tolist() for row in drawn])}
    return Subject(
        whole.config, replace(whole.corpus, splits=splits), replace(whole.tokenized, splits=tokens)
    )


class Clock(pl.Callback):
    """Seconds of training batches (validation left out) and of the whole fit, with all that belongs to it."""

    batches = fit = 0.0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock of the fit."""
        self._fit_started = time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the epoch's clock."""
        finish_device_work()
        self._epoch_started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop the epoch's clock after its last batch."""
        if batch_idx + 1 == trainer.num_training_batches:
            finish_device_work()
            self.batches += time.perf_counter() - self._epoch_started

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Stop the clock of the fit."""
        finish_device_work()
        self.fit = time.perf_counter() - self._fit_started


def fit(
    chosen: Subject,
    changes: Mapping[str, Any] | None = None,
    resumable: bool = True,
    embedded_once: bool = True,
) -> tuple[Clock, Classifier, Batches]:
    """Train as `train.py` does, with CSV logging, validation and checkpoints, into a temporary directory.

    Args:
        chosen: what to train.
        changes: of the `model` group.
        resumable: hold a lease and save states, as a run does.
        embedded_once: read the vectors of a frozen encoder from the cache, as a run does.
    """
    config = {**chosen.config, "model": {**chosen.config["model"], **(changes or {})}}
    chosen = replace(chosen, config=config)
    torch.set_flush_denormal(True)  # as a run does
    with tempfile.TemporaryDirectory() as place, quiet():
        classifier, batches = chosen.fresh(embedded_once)
        directory = Path(place)
        loggers = build_logger(config["logger"], directory, "bench", config)
        hardware = config["trainer"]
        best = directory / f"{CANDIDATE}.ckpt"
        every = hardware["save_minutes"], hardware["save_steps"]
        clock = Clock()
        with held(directory) if resumable else contextlib.nullcontext() as lease:
            kept = pl.Callback()
            if lease is not None:
                check_ours = functools.partial(check_not_lost, lease, directory)
                kept = SaveState(directory, best, StopRequest(), check_ours, *every)
            trainer = build_trainer(config, directory, loggers, len(batches.train_dataloader()), kept)
            # First, so that its batch clock stops before the epoch's validation and checkpoint.
            trainer.callbacks.insert(0, clock)  # type: ignore[attr-defined]
            trainer.fit(classifier, datamodule=batches)
        _forget_determinism()
    return clock, classifier, batches


def _forget_determinism() -> None:
    """Undo what a run sets for the whole process: a plain user's side runs without it."""
    torch.use_deterministic_algorithms(False)
    torch.set_flush_denormal(False)
