"""Fit a network, choose the checkpoint on validation, evaluate it: everything of a run that needs torch."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from emoji_pred import runs
from emoji_pred.lean_imports import lean_imports

with lean_imports():
    import lightning.pytorch as pl

import numpy as np
import torch
from torch import nn

from emoji_pred import config as configuration
from emoji_pred.batches import Batches, epoch_batches, padded_fraction
from emoji_pred.classifier import Classifier
from emoji_pred.cluster_answers import ClusterLoss, Clusters
from emoji_pred.data.corpus import Corpus
from emoji_pred.decision import choose
from emoji_pred.errors import Pruned
from emoji_pred.evaluation import evaluate_splits
from emoji_pred.loggers import build_logger, log_evaluation, run_title, told_of_the_end
from emoji_pred.metrics import probabilities_of
from emoji_pred.network import build_network
from emoji_pred.optimizers import build_optimizer, build_scheduler
from emoji_pred.outcome import Outcome
from emoji_pred.peers import Peers
from emoji_pred.progress import chunks
from emoji_pred.resume import SaveState, remove_states, restore_best, usable_state
from emoji_pred.signals import stop_request
from emoji_pred.token_cache import Tokenized
from emoji_pred.tokenizers import word_ids
from emoji_pred.trainer import CANDIDATE, Watch, build_trainer, quiet_libraries
from emoji_pred.vectors import Vectors

Options = Mapping[str, Any]
ALL_THREADS = torch.get_num_threads()  # before a run of a sweep sets fewer


def train_and_evaluate(
    config: Options,
    corpus: Corpus,
    tokenized: Tokenized,
    directory: Path,
    overrides: Sequence[str],
    peers: Peers,
    check_ours: Callable[[], None],
    watch: Watch | None = None,
) -> Outcome | None:
    """Train, then evaluate the best checkpoint on validation and test.

    Args:
        config: the resolved configuration.
        corpus: texts and labels.
        tokenized: the same texts as token ids.
        directory: of the run.
        overrides: what the user typed; trackers call the run by it.
        peers: the other processes of the run.
        check_ours: raises where another process has taken the run's directory over.
        watch: sees the figures of each epoch.

    Returns:
        None in the helper processes of a distributed run.

    Raises:
        Pruned: `watch` ended the run; its states and checkpoint are removed.
    """
    quiet_libraries()
    torch.set_num_threads(config["trainer"]["threads"] or ALL_THREADS)
    if peers.count > 1 and config["trainer"]["threads"]:
        # Lightning would share out the cores, whatever was set.
        os.environ.setdefault("OMP_NUM_THREADS", str(config["trainer"]["threads"]))
    # Adam's moments of words that are seldom seen decay below the smallest normal float, where a CPU computes
    # many times slower (an epoch of model=ffn: seven times). They are flushed to zero.
    torch.set_flush_denormal(True)
    pl.seed_everything(config["seed"], workers=True, verbose=False)
    classifier = build_classifier(config, corpus, tokenized)
    batches = build_batches(config, corpus, tokenized, embedded(config, classifier.network, tokenized))
    found = peers.of_first("state", lambda: _state(directory, config["force"]))
    state = directory / found if found else None
    title = run_title(overrides, directory.name)
    loggers = build_logger(
        config["logger"], directory, title, runs.public(config), continued=state is not None
    )
    checkpoint = directory / f"{CANDIDATE}.ckpt"
    with stop_request.put_off() as request, told_of_the_end(loggers), peers.working():
        hardware = config["trainer"]
        every = hardware["save_minutes"], hardware["save_steps"]
        saver = SaveState(directory, checkpoint, request, check_ours, *every)
        trainer = build_trainer(config, directory, loggers, len(batches.train_dataloader()), saver, watch)
        peers.meet()
        try:
            _fit(trainer, classifier, batches, state, checkpoint)
        except Pruned:
            # A search prunes many runs and comes back to none: their states would fill the disk.
            remove_states(directory)
            checkpoint.unlink(missing_ok=True)
            raise
        return _evaluate(config, trainer, classifier, batches, corpus, loggers, saver, checkpoint)


def _state(directory: Path, force: bool) -> str:
    """The name of the state to continue from; empty to begin anew."""
    if force:
        remove_states(directory)
    state = usable_state(directory)
    return "" if state is None else state.name


def _fit(
    trainer: pl.Trainer,
    classifier: Classifier,
    batches: Batches,
    state: Path | None,
    checkpoint: Path,
) -> None:
    """Train to the end, from the beginning or from where an interrupted run stood."""
    if trainer.strategy.root_device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()  # each run of a sweep reports its own
    if trainer.is_global_zero:
        if state is not None:
            restore_best(state, checkpoint)
        else:
            checkpoint.unlink(missing_ok=True)  # of a run that ended before its first state
    trainer.fit(classifier, datamodule=batches, ckpt_path=state, weights_only=True)


def _evaluate(
    config: Options,
    trainer: pl.Trainer,
    classifier: Classifier,
    batches: Batches,
    corpus: Corpus,
    loggers: Any,
    saver: SaveState,
    checkpoint: Path,
) -> Outcome | None:
    """Metrics and predictions of the best checkpoint on validation and test."""
    best = torch.load(checkpoint, map_location="cpu", weights_only=True)
    classifier.load_state_dict(best["state_dict"])
    figures: dict[str, Any] = {
        "parameters": _count_parameters(classifier.network),
        "best_epoch": best["epoch"],
        "curves": [_plain_figures(row) for row in classifier.curves],
        "padding": _padding(batches),
        "validation": None,
        "test": None,
    }
    answers = {
        split: _answers(trainer, classifier, batches, split)
        for split in ("validation", "test")
        if split in corpus.splits
    }
    if not trainer.is_global_zero:
        return None
    measured, predictions = evaluate_splits(
        corpus, {split: answer for split, (answer, _) in answers.items()}, config.get("decision")
    )
    for split, (_, loss) in answers.items():
        figures[split] = {**measured[split], "loss": loss}
    texts = {split: corpus.splits[split].texts for split in predictions}
    finish = functools.partial(log_evaluation, loggers, predictions=predictions, texts=texts)
    return Outcome(
        figures,
        predictions,
        checkpoint,
        finish,
        trainer.strategy.root_device.type == "cuda",
        saver.seconds_before,
        saver.interruptions,
        functools.partial(remove_states, saver.directory),
        told_of_the_end=functools.partial(told_of_the_end, loggers),
    )


def build_classifier(config: Options, corpus: Corpus, tokenized: Tokenized) -> Classifier:
    """Network, loss with class weights of the training split, and optimizer, as the configuration says."""
    model = config["model"]
    counts = corpus.class_counts("train")
    clusters = Clusters.by_frequency(corpus.clusters, counts) if corpus.clusters else None
    if clusters is not None:
        counts = clusters.class_counts(counts)
    weights = configuration.instantiate(config["alpha"], class_counts=counts)
    loss = configuration.instantiate(
        config["loss"],
        class_weights=torch.as_tensor(weights, dtype=torch.float32),
        positive_counts=torch.as_tensor(counts),
        rows=len(corpus.splits["train"]),
    )
    encoder = config["encoder"] if model["tokenizer"]["kind"] != "words" else None
    vectors = tokenized.vectors
    if vectors is not None:  # the checkpoint then tells the true width too
        model = {**model, "network": {**model["network"], "embedding_dim": vectors.dim}}
    network = build_network(
        model,
        encoder,
        vocab_size=tokenized.vocab_size,
        num_classes=corpus.num_classes,
        pad_id=tokenized.pad_id,
        first_word_id=tokenized.state.get("first_word_id"),
        clusters=clusters,
        longest=_longest(tokenized),
    )
    if vectors is not None:
        _start_from(network, vectors)
    if clusters is not None:
        loss = ClusterLoss(loss, clusters)
    schedule = model["scheduler"]
    return Classifier(
        network.train(),  # a pretrained encoder is loaded in eval mode, where its dropout is off
        loss,
        corpus.task,
        functools.partial(
            build_optimizer, options=model["optimizer"], embedding_updates=model["embedding_updates"]
        ),
        functools.partial(build_scheduler, options=schedule) if schedule else None,
        {
            "model": {key: model[key] for key in ("name", "network", "tokenizer")},
            "encoder": encoder,
            "seed": config["seed"],  # from which an encoder with random weights is drawn again
            "task": corpus.task,
            "label_names": list(corpus.label_names),
            **({} if clusters is None else {"clusters": clusters.plain()}),
            "tokenizer": tokenized.state,
        },
        {split: corpus.splits[split].row_ids for split in ("train", "validation")},
        functools.partial(choose, config.get("decision"), seen=corpus.class_counts("train") > 0),
    )


def _start_from(network: nn.Module, vectors: Vectors) -> None:
    """Put vectors into the word embedding of a network, which every network with an `embedding_dim` has."""
    embedding = network.embedding
    assert isinstance(embedding, nn.Embedding)
    with torch.no_grad():
        embedding.weight.copy_(torch.from_numpy(vectors.weights))
    embedding.weight.requires_grad_(vectors.train)


def _longest(tokenized: Tokenized) -> int:
    """Tokens of the longest text; words that stand beside an encoder's tokens have no places."""
    lengths = [rows.lengths for rows in tokenized.splits.values()]
    if "first_word_id" in tokenized.state:
        words = [word_ids(rows, tokenized.state).lengths for rows in tokenized.splits.values()]
        lengths = [both - of_words for both, of_words in zip(lengths, words, strict=True)]
    return max(int(part.max()) for part in lengths)


def embedded(config: Options, network: nn.Module, tokenized: Tokenized) -> dict[str, np.ndarray] | None:
    """The vectors of all texts where they stay the same while the network trains; None where they do not."""
    if not getattr(network, "is_frozen", False):
        return None
    from emoji_pred.frozen_vectors import embed

    hardware, cache = config["trainer"], configuration.expand(config["cache_dir"])
    on_gpu = hardware["accelerator"] != "cpu" and torch.cuda.is_available()
    bar = functools.partial(chunks, hardware["progress"])
    return embed(
        network,  # type: ignore[arg-type]
        tokenized.splits,
        tokenized.pad_id,
        cache,
        "cuda" if on_gpu else "cpu",
        bar,
    )


def build_batches(
    config: Options, corpus: Corpus, tokenized: Tokenized, vectors: dict[str, np.ndarray] | None = None
) -> Batches:
    """The data module of a run, with the texts' vectors in the place of their ids where there are any."""
    model = config["model"]
    targets = {
        split: rows.labels if rows.labels.ndim == 1 else rows.labels.astype(np.float32)
        for split, rows in corpus.splits.items()
    }
    return Batches(
        tokenized.splits,
        targets,
        tokenized.pad_id,
        model["batch_size"],
        config["bucket_batches"],
        config["seed"],
        model["accumulate"],
        vectors,
    )


def _answers(
    trainer: pl.Trainer, classifier: Classifier, batches: Batches, split: str
) -> tuple[np.ndarray, float]:
    """The probabilities (N, C) of a split in the corpus' order, and its loss."""
    trainer.predict(classifier, batches.evaluation_dataloader(split), return_predictions=False)
    _, logits, targets = classifier.predictions()
    return probabilities_of(logits, classifier.task).numpy(), classifier.mean_loss(logits, targets)


def _plain_figures(row: Mapping[str, float]) -> dict[str, float | None]:
    """One epoch of the curves for JSON, which has no NaN: a figure of a diverged epoch is null."""
    return {key.replace("/", "_"): value if math.isfinite(value) else None for key, value in row.items()}


def _count_parameters(network: nn.Module) -> dict[str, int]:
    weights = list(network.parameters())
    return {
        "total": sum(weight.numel() for weight in weights),
        "trainable": sum(weight.numel() for weight in weights if weight.requires_grad),
    }


def _padding(batches: Batches) -> dict[str, float]:
    lengths = batches.lengths["train"]
    first = epoch_batches(lengths, batches.batch_size, batches.bucket_batches, batches.seed, epoch=0)
    return {"train_padded_fraction": padded_fraction(lengths, first), "mean_tokens": float(lengths.mean())}
