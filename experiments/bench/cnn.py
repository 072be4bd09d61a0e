"""The CNN against the plain Lightning way and against a bare loop; its embedding's updates; its quality."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from emoji_pred.batches import Batches
from emoji_pred.optimizers import build_optimizer
from emoji_pred.tokenizers import Ragged
from experiments.bench.measure import (
    Finding,
    Row,
    finish_device_work,
    interleave,
    ratio_row,
    spread,
    table,
)
from experiments.bench.plain import fit_barely, fit_plainly, macro_f1
from experiments.bench.settings import Settings
from experiments.bench.subject import Clock, Subject, fit, subject

UNTIMED_STEPS = 5  # the first ones allocate
STEPS = 40  # of each way to update the embedding
CUTOFFS = (1, 2, 3, 5)  # times a word must be seen to stand in the vocabulary
OFTEN = 100  # optimizer steps between two states, where they are saved often
ONE_EPOCH = {"max_epochs": 1, "early_stopping": None}


def cnn_epoch(settings: Settings) -> Finding:
    """One training epoch, our way against the plain Lightning way; validation and checkpoints left out."""
    chosen = subject(settings, "model=cnn", rows=settings.rows)
    _warm_up(settings)
    seconds = interleave(
        "cnn_epoch",
        {
            "plain": lambda _: fit_plainly(chosen, epochs=1)[0].batches,
            "ours": lambda _: fit(chosen, ONE_EPOCH)[0].batches,
        },
        settings.repetitions,
    )
    row = ratio_row("CNN epoch: plain Lightning / ours", seconds["plain"], seconds["ours"], at_least=2.5)
    details = [
        f"{chosen.rows:,} rows, batches of {chosen.config['model']['batch_size']}, vocabulary "
        f"{chosen.tokenized.vocab_size:,}: plain {spread(seconds['plain'])}, ours {spread(seconds['ours'])} "
        "(training batches only).",
        "Plain: the same network, loss and token ids, padded to 64, TensorDataset, DataLoader(shuffle=True), "
        "torch.optim.Adam with default flags and the same weight decay, self.log of the loss, Lightning's "
        "default callbacks, CSVLogger.",
    ]
    return Finding([row], details)


def cnn_lightning_overhead(settings: Settings) -> Finding:
    """One epoch with validation, CSV log and best checkpoint against a bare loop without the last two."""
    chosen = subject(settings, "model=cnn", rows=settings.rows)
    _warm_up(settings)
    clocks: dict[str, list[Clock]] = {"bare": [], "ours": []}

    def timed(name: str, make: Callable[[], Clock]) -> Callable[[int], float]:
        def side(_: int) -> float:
            clocks[name].append(make())
            return clocks[name][-1].fit

        return side

    sides = {
        "ours": timed("ours", lambda: fit(chosen, ONE_EPOCH)[0]),
        "bare": timed("bare", lambda: fit_barely(chosen)),
    }
    seconds = interleave("cnn_lightning_overhead", sides, settings.repetitions)
    row = ratio_row(
        "CNN epoch with CSV log and checkpoints / bare loop", seconds["ours"], seconds["bare"], at_most=1.15
    )
    batches = {name: [clock.batches for clock in clocks[name]] for name in clocks}
    share = statistics.median(batches["ours"]) / statistics.median(batches["bare"])
    details = [
        f"{chosen.rows:,} training rows and one validation: ours {spread(seconds['ours'])}, "
        f"bare {spread(seconds['bare'])}; of the training batches alone {share:.3f} times.",
        "Bare: zero_grad, network, loss, backward, step with the same data loader, optimizer and network; "
        "then the same validation batches, loss and macro-F1. No log, no checkpoint, no deterministic mode.",
    ]
    return Finding([row], details)


def cnn_saving(settings: Settings) -> Finding:
    """One epoch as a run trains it, with a lease and saved states, against the same epoch without them."""
    chosen = subject(settings, "model=cnn", rows=settings.rows)
    often = replace(
        chosen, config={**chosen.config, "trainer": {**chosen.config["trainer"], "save_steps": OFTEN}}
    )
    _warm_up(settings)
    seconds = interleave(
        "cnn_saving",
        {
            "neither": lambda _: fit(chosen, ONE_EPOCH, resumable=False)[0].fit,
            "as by default": lambda _: fit(chosen, ONE_EPOCH)[0].fit,
            f"a state every {OFTEN} steps": lambda _: fit(often, ONE_EPOCH)[0].fit,
        },
        settings.repetitions,
    )
    neither, default, every = seconds.values()
    rows = [
        ratio_row("CNN epoch with lease and states / without", default, neither, at_most=1.03),
        ratio_row(f"the same with a state every {OFTEN} steps / without", every, neither),
    ]
    details = [f"{name}: {spread(taken)}" for name, taken in seconds.items()]
    return Finding(rows, [f"{chosen.rows:,} training rows and one validation. " + "; ".join(details) + "."])


def cnn_quality(settings: Settings) -> Finding:
    """Test macro-F1 after the paper's 5 epochs: the plain way, ours, and ours with rowwise updates."""
    epochs = settings.epochs or 5
    scores: dict[str, list[float]] = {name: [] for name in ("plain", "ours", "ours, rowwise")}
    seconds: dict[str, list[float]] = {name: [] for name in scores}
    for seed in range(settings.seeds):
        chosen = subject(settings, "model=cnn", f"seed={seed}", rows=settings.rows)
        for name in scores:
            clock, score = _trained_score(name, chosen, epochs)
            scores[name].append(score)
            seconds[name].append(clock.batches)
            print(f"cnn_quality seed {seed}  {name}: macro-F1 {score:.4f}, {clock.batches:.1f} s", flush=True)
    paired = [ours - plain for ours, plain in zip(scores["ours"], scores["plain"], strict=True)]
    difference = statistics.mean(paired)
    row = Row(
        f"CNN test macro-F1: ours - plain, mean of {settings.seeds} seeds",
        difference,
        "",
        min(paired),
        max(paired),
        at_least=-0.01,
        note="" if difference <= 0.01 else "better by more than 0.01",
    )
    lines = [
        (
            name,
            f"{statistics.mean(scores[name]):.4f}",
            " ".join(f"{score:.4f}" for score in scores[name]),
            f"{statistics.median(seconds[name]):.1f} s",
        )
        for name in scores
    ]
    header = ("way", "test macro-F1", "by seed", f"training batches of {epochs} epochs")
    decay = chosen.config["model"]["optimizer"]["weight_decay"]
    note = f"Weights after {epochs} epochs, no selection on validation. Weight decay {decay}, with rowwise 0."
    return Finding([row], [note, *table(header, lines)])


def embedding_updates(settings: Settings) -> Finding:
    """Milliseconds a step for each way to update the embedding, at several vocabulary cut-offs."""
    chosen = subject(settings, "model=cnn", "model.tokenizer.min_count=1", rows=settings.rows)
    ways = ("dense, default flags", "dense, fused", "rowwise")
    lines, rows = [], []
    for cutoff in CUTOFFS:
        cut = _cut(chosen, cutoff)
        seconds = interleave(
            f"embedding_updates min_count={cutoff}",
            {way: functools.partial(_seconds_a_step, cut, way) for way in ways},
            settings.repetitions,
        )
        figures = [f"{1000 * statistics.median(seconds[way]):.2f}" for way in ways]
        lines.append([cutoff, f"{cut.tokenized.vocab_size:,}", *figures])
        if cutoff == 2:
            rows = [
                ratio_row(f"CNN step: dense Adam, default flags / {way}", seconds[ways[0]], seconds[way])
                for way in ways[1:]
            ]
    header = ("min_count", "vocabulary", *(f"{way}: ms a step" for way in ways))
    note = f"Medians of {settings.repetitions} x {STEPS} steps in a bare loop; default flags: no `fused`."
    return Finding(rows, [note, *table(header, lines)])


def _warm_up(settings: Settings) -> None:
    """Both sides on a few rows: first calls allocate and choose kernels."""
    few = subject(settings, "model=cnn", rows=320)
    fit(few, ONE_EPOCH)
    fit_plainly(few, epochs=1)


def _trained_score(name: str, chosen: Subject, epochs: int) -> tuple[Clock, float]:
    if name == "plain":
        clock, model = fit_plainly(chosen, epochs)
        return clock, _test_macro_f1(model.network, chosen.fresh()[1])
    changes: dict[str, Any] = {"max_epochs": epochs, "early_stopping": None}
    if name == "ours, rowwise":
        optimizer = {**chosen.config["model"]["optimizer"], "weight_decay": 0.0}
        changes |= {"embedding_updates": "rowwise", "optimizer": optimizer}
    clock, classifier, batches = fit(chosen, changes)
    return clock, _test_macro_f1(classifier.network, batches)


def _test_macro_f1(network: torch.nn.Module, batches: Batches) -> float:
    network.eval()
    device = next(network.parameters()).device
    batches.trainer = None  # the loader then hands out every row
    logits, targets = [], []
    with torch.no_grad():
        for batch in batches.evaluation_dataloader("test"):
            logits.append(network(batch["input_ids"].to(device), batch["attention_mask"].to(device)).cpu())
            targets.append(batch["targets"])
    return macro_f1(torch.cat(logits), torch.cat(targets))


def _cut(chosen: Subject, cutoff: int) -> Subject:
    """Turn words seen fewer than `cutoff` times into the unknown word; ids go by falling frequency."""
    train = chosen.tokenized.splits["train"]
    counts = np.bincount(train.ids, minlength=chosen.tokenized.vocab_size)[2:]
    vocab_size = 2 + int((counts >= cutoff).sum())
    splits = {
        split: Ragged(np.where(rows.ids < vocab_size, rows.ids, 1).astype(np.int32), rows.offsets)
        for split, rows in chosen.tokenized.splits.items()
    }
    return replace(chosen, tokenized=replace(chosen.tokenized, splits=splits, vocab_size=vocab_size))


def _seconds_a_step(chosen: Subject, way: str, repetition: int) -> float:
    classifier, batches = chosen.fresh()
    network, loss_function = classifier.network, classifier.loss
    device = torch.device("cuda" if chosen.config["trainer"]["accelerator"] == "gpu" else "cpu")
    network.to(device)
    loss_function.to(device)
    options = {**chosen.config["model"]["optimizer"], "weight_decay": 0.0}
    if way == "dense, default flags":
        optimizer: torch.optim.Optimizer = torch.optim.Adam(network.parameters(), lr=options["lr"])
    else:
        optimizer = build_optimizer(network, options, "rowwise" if way == "rowwise" else "dense")
    started, steps = time.perf_counter(), 0
    for step, batch in enumerate(batches.train_dataloader()):
        if step == UNTIMED_STEPS:
            finish_device_work()
            started, steps = time.perf_counter(), 0
        optimizer.zero_grad()
        logits = network(batch["input_ids"].to(device), batch["attention_mask"].to(device))
        loss_function(logits, batch["targets"].to(device)).backward()
        optimizer.step()
        steps += 1
        if steps == STEPS:
            break
    finish_device_work()
    return (time.perf_counter() - started) / steps
