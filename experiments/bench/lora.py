"""`model=lora` against the Hugging Face Trainer over the same PEFT network, and a frozen encoder's epochs."""

from __future__ import annotations

import statistics
from typing import Any

from emoji_pred.errors import UserError
from emoji_pred.pretrained import encoder_files
from experiments.bench.huggingface import fit_with_trainer
from experiments.bench.measure import Finding, interleave, ratio_row, spread
from experiments.bench.settings import Settings
from experiments.bench.subject import Subject, composed, fit, subject

VALIDATION_ROWS = 64
ROWS_A_BERT_ROW = 4  # a step has 256 rows here, 16 with model=bert
ONE_EPOCH = {"max_epochs": 1}
# MiniLM's layers; their weights do not matter for speed.
LIKE_MINILM = (
    *("encoder=tiny", "encoder.config.hidden_size=384", "encoder.config.num_hidden_layers=6"),
    *("encoder.config.num_attention_heads=12", "encoder.config.intermediate_size=1536"),
)


def lora_step(settings: Settings) -> Finding:
    """Rows per second of training, ours against the Trainer at its defaults: same network, batch and rows."""
    encoder, overrides = _encoder(settings)
    chosen, few = (_subject(settings, rows, *overrides) for rows in (0, 64))
    sides: dict[str, Any] = {
        "trainer": lambda _: fit_with_trainer(chosen),
        "ours": lambda _: fit(chosen, ONE_EPOCH)[0].batches,
    }
    fit_with_trainer(few)  # warm-up
    fit(few, ONE_EPOCH)
    seconds = interleave("lora_step", sides, settings.repetitions)
    rates = "; ".join(
        f"{name} {chosen.rows / statistics.median(values):.0f} ({spread(values)})"
        for name, values in seconds.items()
    )
    details = [
        f"encoder={encoder}, {chosen.rows:,} rows of at most 24 tokens, {_mean_tokens(chosen):.1f} on "
        f"average, batches of {chosen.config['model']['batch_size']}; rows a second, and the seconds of an "
        f"epoch: {rates}.",
        "Trainer: the same encoder, PEFT adapters and loss in one module, with torch's own dropout; its "
        "default collator (longest of the batch) and optimizer (fused AdamW), in float32.",
    ]
    what = f"lora {encoder} step, float32: Trainer with PEFT at defaults / ours"
    return Finding([ratio_row(what, seconds["trainer"], seconds["ours"], at_least=2.0)], details)


def frozen_epoch(settings: Settings) -> Finding:
    """An epoch of a frozen encoder's head: texts encoded anew, against their vectors computed once before."""
    encoder, overrides = _encoder(settings)
    chosen = _subject(settings, 0, *overrides, "model.network.encoder_training=frozen")
    sides: dict[str, Any] = {
        "each epoch": lambda _: fit(chosen, ONE_EPOCH, embedded_once=False)[0].batches,
        "once": lambda _: fit(chosen, ONE_EPOCH)[0].batches,
    }
    sides["once"](0)  # warm-up, and the vectors are in the cache
    seconds = interleave("frozen_epoch", sides, settings.repetitions)
    details = [
        f"encoder={encoder}, {chosen.rows:,} rows; seconds of an epoch: "
        + "; ".join(f"{name} {spread(values, 3)}" for name, values in seconds.items())
        + "."
    ]
    what = f"lora {encoder}, frozen, an epoch: encoded each epoch / once"
    return Finding([ratio_row(what, seconds["each epoch"], seconds["once"], at_least=10.0)], details)


def _subject(settings: Settings, rows: int, *overrides: str) -> Subject:
    rows = rows or settings.bert_rows * ROWS_A_BERT_ROW
    # Validation is no part of a step: a few rows, so that it takes no time.
    return subject(settings, "model=lora", *overrides, rows=rows, validation_rows=VALIDATION_ROWS)


def _encoder(settings: Settings) -> tuple[str, tuple[str, ...]]:
    """What the encoder is called, and its overrides."""
    if settings.encoder != "auto":
        return settings.encoder, (f"encoder={settings.encoder}",)
    try:
        encoder_files(composed(settings, "model=lora", "encoder=minilm")["encoder"])
    except UserError:
        return "of minilm's size", LIKE_MINILM
    return "minilm", ("encoder=minilm",)


def _mean_tokens(chosen: Subject) -> float:
    return float(chosen.tokenized.splits["train"].lengths.mean())
